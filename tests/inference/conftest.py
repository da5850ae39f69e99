"""What these tests share: the module `toy_codes`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
