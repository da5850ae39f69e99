import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import test_util

from eiw.models import config, layers


def shape(dtype: str) -> config.DecoderConfig:
    return config.DecoderConfig(
        vocab_size=259, embed_dim=6, num_heads=2, num_layers=1, mlp_dim=16, head_dim=4, dtype=dtype
    )


@pytest.mark.parametrize("features", (2, 6, 9))
@pytest.mark.parametrize(("dtype", "rtol"), (("float64", 1e-12), ("bfloat16", 2e-2)))
def test_a_linear_maps_gradients_are_those_of_its_einsum(features, dtype, rtol):
    with jax.enable_x64(dtype == "float64"):
        linear = layers.Linear(shape(dtype), features, ("embed", "mlp"))
        keys = jax.random.split(jax.random.key(0), 3)
        x_BTD = jax.random.normal(keys[0], (2, 5, 6), dtype)
        d_y_BTF = jax.random.normal(keys[1], (2, 5, features), dtype)
        params = linear.init(keys[2], x_BTD)
        y_BTF, backward = jax.vjp(linear.apply, params, x_BTD)
        d_params, d_x_BTD = backward(d_y_BTF)
        kernel_DF = params["params"]["kernel"]
        d_kernel_DF = d_params["params"]["kernel"]

    assert (y_BTF.dtype, d_x_BTD.dtype) == (dtype, dtype)
    assert d_kernel_DF.dtype == kernel_DF.dtype == ("float64" if dtype == "float64" else "float32")
    arrays = (x_BTD, d_y_BTF, kernel_DF, y_BTF, d_x_BTD, d_kernel_DF)
    x, d_y, kernel, y, d_x, d_kernel = (np.asarray(z, np.float64) for z in arrays)
    close = {"rtol": rtol, "atol": 10 * rtol}
    np.testing.assert_allclose(y, np.einsum("btd,df->btf", x, kernel), **close)
    np.testing.assert_allclose(d_x, np.einsum("btf,df->btd", d_y, kernel), **close)
    np.testing.assert_allclose(d_kernel, np.einsum("btd,btf->df", x, d_y), **close)


def test_a_norms_gradients_are_those_of_finite_differences():
    with jax.enable_x64(True):
        norm = layers.RMSNorm(shape("float64"))
        x_BTD = jax.random.normal(jax.random.key(1), (2, 3, 6), "float64")
        scale_D = jnp.arange(1.0, 7.0)

        def apply(scale_D, x_BTD):
            return norm.apply({"params": {"scale": scale_D}}, x_BTD)

        test_util.check_grads(apply, (scale_D, x_BTD), order=1, modes=["rev"], rtol=1e-6)
        y, x, scale = (np.asarray(z) for z in (apply(scale_D, x_BTD), x_BTD, scale_D))
    root = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(y, x / root * scale, rtol=1e-12)
