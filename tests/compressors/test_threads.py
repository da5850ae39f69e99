"""Several threads may use one compressor."""

from concurrent import futures

import numpy as np
import pytest

from eiw.coding import byte_model
from eiw.compressors import ans, gzip_bits, neural_ac, parse, tunstall_fit, window_dictionary


@pytest.fixture(scope="module")
def compressors_by_name(ngrams, text):
    static = byte_model.StaticByteModel.fit([text])
    tunstall = tunstall_fit.fit_tunstall(ngrams, 2000)
    return {
        "windows": window_dictionary.compile_windows(ngrams),
        "tunstall": tunstall,
        "tunstall_fewest": tunstall.with_parse(parse.Parse("fewest")),
        "tunstall_fewest_start": tunstall.with_parse(parse.Parse("fewest", "start")),
        "static_ac": neural_ac.NeuralAC(static),
        "static_ans": ans.ANS(static),
        "gzip": gzip_bits.GZip(),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("windows", "tunstall", "tunstall_fewest", "tunstall_fewest_start"),
        *("static_ac", "static_ans", "gzip"),
    ],
)
def test_two_threads_do_what_one_does(compressors_by_name, text, name):
    compressor = compressors_by_name[name]
    generator = np.random.default_rng(0)
    batches = [
        [text[start : start + 500] for start in generator.integers(0, len(text), 20)]
        for _ in range(12)
    ]
    codes = [compressor.encode_batch(batch) for batch in batches]
    with futures.ThreadPoolExecutor(2) as threads:
        for _ in range(5):
            encoded = list(threads.map(compressor.encode_batch, batches))
            for expected, found in zip(codes, encoded, strict=True):
                assert all(map(np.array_equal, expected, found))
            assert list(threads.map(compressor.decode_batch, encoded)) == batches
