"""Text from a trained M2; what it pays for texts; exact probabilities of bytes."""
