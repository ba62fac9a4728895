"""Algorithm 4 (Spring et al. 2019) as plain CUDA C for CuPy, to compare speed with.

Two launches a step: every row's estimates and gradient give the changes, added to the sketches by
atomics; then queries, bias corrections and the parameter step. A block has a row, its threads the
columns. The first launch reads cells that others are changing, as the released kernels do, so
results differ a little from the library's, which reads everything first.
"""

import numpy as np

from sketchlab.hashing import hash_constants

DEPTH = 3

SOURCE = r"""
typedef unsigned long long u64;

__device__ long long cell(const u64* h, u64 row, u64 width, int j) {
    return (long long)((((h[4 * j] * row + h[4 * j + 1]) >> 32) * width) >> 32) + j * width;
}
__device__ float sign(const u64* h, u64 row, int j) {
    return (h[4 * j + 2] * row + h[4 * j + 3]) >> 63 ? -1.0f : 1.0f;
}
__device__ float median(float a, float b, float c) {
    return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
}
__device__ float query_m(const float* m, const u64* h, u64 row, u64 width, int dim, int c) {
    float s[3];
    for (int j = 0; j < 3; ++j) s[j] = sign(h, row, j) * m[cell(h, row, width, j) * dim + c];
    return median(s[0], s[1], s[2]);
}
__device__ float query_v(const float* v, const u64* h, u64 row, u64 width, int dim, int c) {
    float least = v[cell(h, row, width, 0) * dim + c];
    for (int j = 1; j < 3; ++j) least = fminf(least, v[cell(h, row, width, j) * dim + c]);
    return least;
}
extern "C" __global__ void update(float* m, float* v, const u64* hm, const u64* hv, u64 width,
                                  const long long* rows, const float* grads, int dim,
                                  float beta1, float beta2) {
    u64 row = rows[blockIdx.x];
    for (int c = threadIdx.x; c < dim; c += blockDim.x) {
        float g = grads[(long long)blockIdx.x * dim + c];
        float dm = (1.0f - beta1) * (g - query_m(m, hm, row, width, dim, c));
        float dv = (1.0f - beta2) * (g * g - query_v(v, hv, row, width, dim, c));
        for (int j = 0; j < 3; ++j) {
            atomicAdd(m + cell(hm, row, width, j) * dim + c, sign(hm, row, j) * dm);
            atomicAdd(v + cell(hv, row, width, j) * dim + c, dv);
        }
    }
}
extern "C" __global__ void apply(float* x, const float* m, const float* v, const u64* hm,
                                 const u64* hv, u64 width, const long long* rows, int dim,
                                 float rate, float v_correction, float eps) {
    u64 row = rows[blockIdx.x];
    for (int c = threadIdx.x; c < dim; c += blockDim.x) {
        float mt = query_m(m, hm, row, width, dim, c);
        float vt = fmaxf(query_v(v, hv, row, width, dim, c), 0.0f) * v_correction;
        x[row * dim + c] -= rate * mt / (sqrtf(vt) + eps);
    }
}
"""


def adam(cp, n, dim, compression, depth, lr, betas=(0.9, 0.999), eps=1e-8):
    """Adam with both moments sketched, on a table of zeros: ``step(rows, grads)``."""
    if depth != DEPTH:
        raise ValueError(f"these kernels are written for depth {DEPTH}")
    module = cp.RawModule(code=SOURCE)
    update, apply = module.get_function("update"), module.get_function("apply")
    width = max(1, int(n / (compression * depth)))
    table = cp.zeros((n, dim), cp.float32)
    m, v = (cp.zeros((depth, width, dim), cp.float32) for _ in range(2))
    hm, hv = (cp.asarray(hash_constants(seed, depth)) for seed in (0, 1))
    threads, count = min(1024, -(-dim // 32) * 32), 0
    f, size = np.float32, np.int32(dim)

    def step(rows, grads):
        nonlocal count
        count += 1
        rate, correction = lr / (1 - betas[0] ** count), 1 / (1 - betas[1] ** count)
        hashes = hm, hv, np.uint64(width), rows
        update((len(rows),), (threads,), (m, v, *hashes, grads, size, f(betas[0]), f(betas[1])))
        apply(
            (len(rows),), (threads,), (table, m, v, *hashes, size, f(rate), f(correction), f(eps))
        )

    return step
