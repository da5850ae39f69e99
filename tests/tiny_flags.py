"""Flags of `eiw train` for a model that takes seconds, beside its --gin_file=runs/..."""

BATCH, LENGTH = 2, 16
TINY = [
    "--gin_file=sizes/tiny.gin",
    "--gin.loop.TrainConfig.steps=2",
    f"--gin.pipeline.ModelRun.batch_size={BATCH}",
    f"--gin.pipeline.ModelRun.length={LENGTH}",
    "--gin.config.DecoderConfig.num_layers=1",
    "--gin.config.DecoderConfig.embed_dim=16",
    "--gin.config.DecoderConfig.mlp_dim=16",
]
