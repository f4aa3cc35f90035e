/* NVIDIA's driver as far as workload/gpu/driver.py calls it, with two GPUs that are memory of the host. Work is done at
   once. `played_convolve`, `played_copy` and `played_multiply_add` are what a launch of those kernels runs; `played_room`
   is the bytes that the GPUs have left; `played_open` counts what was made or locked and not given back. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_CONTEXT = 201 };

typedef void play(const unsigned *blocks, const unsigned *threads, void **memories, long long positions);

play *played_convolve, *played_copy, *played_multiply_add;
static struct kernel { const char *name; play **code; int memories; } kernels[] = {
    {"convolve", &played_convolve, 3}, {"copy", &played_copy, 2}, {"multiply_add", &played_multiply_add, 2}};
long long played_room = 1 << 30;
int played_open, played_gpus = 2;
static int initialised, current;
static float moment_ms;

int cuInit(unsigned flags) { initialised = 1; return flags ? INVALID_VALUE : played_gpus ? SUCCESS : NO_DEVICE; }
int cuDeviceGetCount(int *count) { *count = played_gpus; return initialised ? SUCCESS : NOT_INITIALIZED; }
int cuDeviceGet(int *device, int number) { *device = number; return number < played_gpus ? SUCCESS : INVALID_VALUE; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, device ? "second" : "first", length); return SUCCESS; }
int cuDeviceGetUuid(char *uuid, int device) { memset(uuid, device + 1, 16); return SUCCESS; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 24ULL << 30; return device < 0 ? INVALID_VALUE : SUCCESS; }
int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = attribute == 75 ? 8 : attribute == 76 ? 9 : -1;
    return device < 0 || *value < 0 ? INVALID_VALUE : SUCCESS;
}
int cuDriverGetVersion(int *version) { *version = 12020; return SUCCESS; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)(uintptr_t)(device + 1); return SUCCESS; }
int cuCtxSetCurrent(void *context) { current = context != NULL; return SUCCESS; }
int cuGetErrorName(int outcome, const char **name)
{
    *name = outcome == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : outcome == NO_DEVICE ? "CUDA_ERROR_NO_DEVICE"
          : outcome == INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE" : NULL;
    return *name ? SUCCESS : INVALID_VALUE;
}

int cuMemAlloc_v2(uint64_t *address, size_t bytes)
{
    if (!current)
        return INVALID_CONTEXT;
    if ((long long)bytes > played_room)
        return OUT_OF_MEMORY;
    ++played_open;
    *address = (uint64_t)(uintptr_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
    return SUCCESS;
}
int cuMemFree_v2(uint64_t address) { --played_open; free((void *)(uintptr_t)address); return SUCCESS; }
int cuMemGetInfo_v2(size_t *left, size_t *total) { *left = played_room; *total = 24ULL << 30; return SUCCESS; }
int cuMemHostRegister_v2(void *array, size_t bytes, unsigned flags) { ++played_open; return !array || !bytes || flags; }
int cuMemHostUnregister(void *array) { --played_open; return !array; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream)
{
    memcpy((void *)(uintptr_t)to, from, bytes);
    moment_ms += bytes * 1e-6f;
    return !stream;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream)
{
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    moment_ms += bytes * 1e-6f;
    return !stream;
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *stream)
{
    memset((void *)(uintptr_t)to, value, bytes);
    return !stream;
}

int cuStreamCreate(void **stream, unsigned flags) { ++played_open; *stream = malloc(1); return flags != 1; }
int cuStreamSynchronize(void *stream) { return !stream; }
int cuStreamDestroy_v2(void *stream) { --played_open; free(stream); return SUCCESS; }
int cuEventCreate(void **event, unsigned flags) { ++played_open; *event = calloc(1, sizeof(float)); return flags; }
int cuEventRecord(void *event, void *stream) { *(float *)event = moment_ms; return !stream; }
int cuEventSynchronize(void *event) { return !event; }
int cuEventElapsedTime(float *elapsed_ms, void *from, void *to) { *elapsed_ms = *(float *)to - *(float *)from; return SUCCESS; }
int cuEventDestroy_v2(void *event) { --played_open; free(event); return SUCCESS; }

int cuModuleLoadData(void **module, const char *code) { *module = (void *)code; return memcmp(code, "\x7f" "ELF", 4) ? INVALID_VALUE : SUCCESS; }
int cuModuleGetFunction(void **function, void *module, const char *name)
{
    for (int i = 0; i < 3; ++i)
        if (!strcmp(name, kernels[i].name)) {
            *function = &kernels[i];
            return module ? SUCCESS : INVALID_VALUE;
        }
    return INVALID_VALUE;
}
int cuLaunchKernel(void *function, unsigned blocks_x, unsigned blocks_y, unsigned blocks_z, unsigned threads_x,
                   unsigned threads_y, unsigned threads_z, unsigned shared_bytes, void *stream, void **arguments, void **extra)
{
    const unsigned blocks[2] = {blocks_x, blocks_y}, threads[2] = {threads_x, threads_y};
    const struct kernel *kernel = function;
    void *memories[3];
    if (!function || blocks_z != 1 || threads_z != 1 || shared_bytes || !stream || extra)
        return INVALID_VALUE;
    for (int i = 0; i < kernel->memories; ++i)
        memories[i] = *(void **)arguments[i];
    (*kernel->code)(blocks, threads, memories, *(long long *)arguments[kernel->memories]);
    moment_ms += 0.5f;
    return SUCCESS;
}
