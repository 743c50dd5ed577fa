/*
 * Micro-benchmarks: what the processors of this machine do in a bounded time, measured on threads of their own so that neither the event loop nor V8 has a part
 * in it. Three kernels: a mix of integer, branch and memory operations; a polynomial over vectors; a product of small matrices.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"

enum {
  MOST_THREADS = 1024,
  MOST_SLICES = 64,
  MOST_NS = 1000000000,
  TABLE = 4096,         /* words of 32 bit: half of a first-level cache of 32 KiB */
  ARGUMENTS = 2048,     /* with the results 16 KiB */
  COEFFICIENTS = 24,
  CHAINS = 8,
  ORDER = 192,          /* three matrices of 144 KiB: a second-level cache */
  PANEL_ROWS = 6,
  WALKS = 512,
};

struct benchmark_state {
  float arguments[ARGUMENTS];
  float results[ARGUMENTS];
  float coefficients[COEFFICIENTS];
  float left[ORDER * ORDER];
  float right[ORDER * ORDER];
  float product[ORDER * ORDER];
  uint32_t table[TABLE];
  uint64_t walk;
  uint32_t sum;
  int row;
};

#define VECTOR_OCTETS 16
#define VECTOR_TARGET
#define NAME(name) name##_16
#include "benchmark-vectors.h"

#ifdef __x86_64__
#define VECTOR_OCTETS 32
#define VECTOR_TARGET __attribute__((target("avx2,fma")))
#define NAME(name) name##_32
#include "benchmark-vectors.h"

#define VECTOR_OCTETS 64
#define VECTOR_TARGET __attribute__((target("avx512f")))
#define NAME(name) name##_64
#include "benchmark-vectors.h"
#endif

/*
 * A random walk over a table: 14 operations a step as a program's source counts them (4 shifts, 3 exclusive ors, 3 masks, 1 addition, 1 load, 1 store, 1 comparison
 * with its branch, which is taken once in 32 steps).
 */
static double logical(struct benchmark_state *state) {
  uint64_t walk = state->walk;
  uint32_t sum = state->sum;
  for (int step = 0; step < WALKS; step++) {
    walk ^= walk << 13;
    walk ^= walk >> 7;
    walk ^= walk << 17;
    const uint32_t value = state->table[walk & (TABLE - 1)];
    if ((value & 31) == 0) sum = (sum << 5) - sum;
    sum += value;
    state->table[(walk >> 40) & (TABLE - 1)] = sum;
  }
  state->walk = walk;
  state->sum = sum;
  return 14.0 * WALKS;
}

/* What one thread did in one slice. */
struct benchmark_slice {
  double operations;
  double wall_ns;
  double processor_ns;
};

struct benchmark;

struct benchmark_thread {
  struct benchmark *benchmark;
  struct benchmark_slice slices[MOST_SLICES];
  pthread_t thread;
};

struct benchmark {
  napi_deferred deferred;
  napi_async_work work;
  double (*kernel)(struct benchmark_state *);
  void (*pack)(struct benchmark_state *, const float *);
  int threads;
  int slices;
  int64_t slice_ns;
  int error;
  pthread_mutex_t lock;
  pthread_cond_t begun;
  bool begin;
  struct benchmark_thread *workers;
};

static int64_t now_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* The same inputs every time. Products and polynomials of them are far from overflow and from denormal numbers, which are slow. */
static void prepare(struct benchmark_state *state, void (*pack)(struct benchmark_state *, const float *)) {
  uint64_t random = 0x9e3779b97f4a7c15ULL;
  for (int i = 0; i < TABLE; i++) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    state->table[i] = (uint32_t)(random >> 33);
  }
  for (int i = 0; i < ARGUMENTS; i++) state->arguments[i] = 0.25f + 0.5f * (float)i / ARGUMENTS;
  for (int i = 0; i < COEFFICIENTS; i++) state->coefficients[i] = 1.0f / (float)(i + 1);
  for (int i = 0; i < ORDER * ORDER; i++) {
    state->left[i] = (float)(i % 97) / 97.0f;
    state->product[i] = (float)(i % 89) / 89.0f;
  }
  pack(state, state->product);
  state->walk = random | 1;
  state->sum = 1;
  state->row = 0;
}

static void *benchmark_thread(void *argument) {
  struct benchmark_thread *worker = argument;
  struct benchmark *benchmark = worker->benchmark;
  struct benchmark_state *state;
  /* Services of the machine go first; what is measured is what was done in the time that was left. (On Linux a thread has a nice value of its own.) */
  setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
  /* Outside any measured time: memory that is touched for the first time costs page faults. */
  if (posix_memalign((void **)&state, 64, sizeof *state) != 0) state = NULL;
  if (state) prepare(state, benchmark->pack);
  pthread_mutex_lock(&benchmark->lock);
  if (!state) benchmark->error = ENOMEM;
  while (!benchmark->begin) pthread_cond_wait(&benchmark->begun, &benchmark->lock);
  pthread_mutex_unlock(&benchmark->lock);
  if (!state) return NULL;

  const int64_t first = now_ns(CLOCK_MONOTONIC);
  const int64_t last = first + benchmark->slices * benchmark->slice_ns;
  int64_t begin = first;
  int64_t processor = now_ns(CLOCK_THREAD_CPUTIME_ID);
  for (int slice = 0; slice < benchmark->slices && begin < last; slice++) {
    const int64_t end = first + (slice + 1) * benchmark->slice_ns;
    double operations = 0;
    int64_t now;
    do {
      operations += benchmark->kernel(state);
      now = now_ns(CLOCK_MONOTONIC);
    } while (now < end);
    const int64_t used = now_ns(CLOCK_THREAD_CPUTIME_ID);
    worker->slices[slice] = (struct benchmark_slice){operations, (double)(now - begin), (double)(used - processor)};
    begin = now;
    processor = used;
  }
  free(state);
  return NULL;
}

static void benchmark_run(napi_env env, void *data) {
  (void)env;
  struct benchmark *benchmark = data;
  int started = 0;
  int error = 0;
  for (; started < benchmark->threads; started++) {
    benchmark->workers[started].benchmark = benchmark;
    error = pthread_create(&benchmark->workers[started].thread, NULL, benchmark_thread, &benchmark->workers[started]);
    if (error) break;
  }
  pthread_mutex_lock(&benchmark->lock);
  if (error) {
    /* Too few threads measure something else: those that are there end at once. */
    benchmark->error = error;
    benchmark->slices = 0;
  }
  benchmark->begin = true;
  pthread_cond_broadcast(&benchmark->begun);
  pthread_mutex_unlock(&benchmark->lock);
  for (int i = 0; i < started; i++) pthread_join(benchmark->workers[i].thread, NULL);
}

static void benchmark_free(struct benchmark *benchmark) {
  pthread_mutex_destroy(&benchmark->lock);
  pthread_cond_destroy(&benchmark->begun);
  free(benchmark->workers);
  free(benchmark);
}

/* operations, wall ns and processor ns of every slice of every thread, in a row. */
static napi_value benchmark_result(napi_env env, struct benchmark *benchmark) {
  napi_value buffer, result;
  double *values;
  const size_t count = (size_t)benchmark->threads * (size_t)benchmark->slices * 3;
  CPN_CALL(env, napi_create_arraybuffer(env, count * sizeof *values, (void **)&values, &buffer));
  for (int thread = 0; thread < benchmark->threads; thread++)
    for (int slice = 0; slice < benchmark->slices; slice++) {
      const struct benchmark_slice *one = &benchmark->workers[thread].slices[slice];
      *values++ = one->operations;
      *values++ = one->wall_ns;
      *values++ = one->processor_ns;
    }
  CPN_CALL(env, napi_create_typedarray(env, napi_float64_array, count, buffer, 0, &result));
  return result;
}

static void benchmark_done(napi_env env, napi_status status, void *data) {
  struct benchmark *benchmark = data;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) == napi_ok) {
    napi_value result = status == napi_ok && !benchmark->error ? benchmark_result(env, benchmark) : NULL;
    if (result) napi_resolve_deferred(env, benchmark->deferred, result);
    else {
      napi_value text, error;
      char message[128];
      snprintf(message, sizeof message, "the benchmark could not run: %s", status == napi_ok ? strerrordesc_np(benchmark->error) : "it was cancelled");
      if (napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text) == napi_ok && napi_create_error(env, NULL, text, &error) == napi_ok)
        napi_reject_deferred(env, benchmark->deferred, error);
    }
    napi_close_handle_scope(env, scope);
  }
  napi_delete_async_work(env, benchmark->work);
  benchmark_free(benchmark);
}

static void choose_kernel(struct benchmark *benchmark, int kernel) {
  benchmark->pack = pack_16;
  benchmark->kernel = kernel == 0 ? logical : kernel == 1 ? parallel_16 : neural_16;
#ifdef __x86_64__
  if (kernel == 0) return;
  if (__builtin_cpu_supports("avx512f")) {
    benchmark->pack = pack_64;
    benchmark->kernel = kernel == 1 ? parallel_64 : neural_64;
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    benchmark->pack = pack_32;
    benchmark->kernel = kernel == 1 ? parallel_32 : neural_32;
  }
#endif
}

static napi_value benchmark_start(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  int kernel, threads, slices, slice_us;
  if (!arguments_get(env, info, 4, argv, NULL) || !argument_int(env, argv[0], &kernel) || !argument_int(env, argv[1], &threads) ||
      !argument_int(env, argv[2], &slices) || !argument_int(env, argv[3], &slice_us))
    return NULL;
  if (kernel < 0 || kernel > 2 || threads < 1 || threads > MOST_THREADS || slices < 1 || slices > MOST_SLICES || slice_us < 1000 ||
      (int64_t)slices * slice_us * 1000 > MOST_NS) {
    napi_throw_range_error(env, NULL, "benchmark: expected kernel 0 to 2, 1 to 1024 threads, 1 to 64 slices of at least 1 ms, and at most a second in all");
    return NULL;
  }
  struct benchmark *benchmark = calloc(1, sizeof *benchmark);
  if (benchmark) benchmark->workers = calloc((size_t)threads, sizeof *benchmark->workers);
  if (!benchmark || !benchmark->workers) {
    free(benchmark);
    return cpn_throw_errno(env, ENOMEM, "benchmark", NULL);
  }
  benchmark->threads = threads;
  benchmark->slices = slices;
  benchmark->slice_ns = (int64_t)slice_us * 1000;
  pthread_mutex_init(&benchmark->lock, NULL);
  pthread_cond_init(&benchmark->begun, NULL);
  choose_kernel(benchmark, kernel);
  napi_value promise, name;
  if (napi_create_promise(env, &benchmark->deferred, &promise) != napi_ok ||
      napi_create_string_utf8(env, "cpn.benchmark", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, benchmark_run, benchmark_done, benchmark, &benchmark->work) != napi_ok ||
      napi_queue_async_work(env, benchmark->work) != napi_ok) {
    benchmark_free(benchmark);
    napi_throw_error(env, NULL, "native: the benchmark could not be queued");
    return NULL;
  }
  return promise;
}

void cpn_register_benchmark(napi_env env, napi_value exports) {
  cpn_export(env, exports, "benchmark", benchmark_start);
}
