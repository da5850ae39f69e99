"""Names of axes: one-letter suffixes of arrays, and the logical axes that meshes divide.

Suffixes of array names, as in `x_BTD` (a cache or a key may be longer than the query, hence S):

  B  batch: rows            H  heads               V  ids of the padded vocabulary
  T  tokens, as queries     K  width of a head     R  buckets of the relative position bias
  S  tokens, as keys        M  width of the MLP    N  distances in tokens, query minus key
  D  width of the residual stream                  J  heads x width of a head, joined

Logical names are T5X's standard set, so that its optimizer and partitioner know every one of them.
"""

# For parameters: "layers" is what scanning over layers prepends.
PARAMETER_AXES = ("vocab", "embed", "mlp", "heads", "joined_kv", "relpos_buckets", "layers")

# Logical axis -> axes of the (data, fsdp, tensor) mesh, in the form of Flax's `axis_rules`. Where
# two names of one array want the same mesh axis the first gets it: activations are divided by
# batch over `fsdp`, so their "embed" stays whole, while parameters divide theirs.
MESH_RULES = (
    ("batch", ("data", "fsdp")),
    ("vocab", "tensor"),
    ("mlp", "tensor"),
    ("heads", "tensor"),
    ("joined_kv", "tensor"),
    ("embed", "fsdp"),
    ("kv", None),
    ("length", None),
    ("relpos_buckets", None),
    ("layers", None),
)
