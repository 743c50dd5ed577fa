/* Shared by the files of the addon: every file registers its functions into the exports object. */
#pragma once
#include <node_api.h>

#define CPN_CALL(env, call)                                                     \
  do {                                                                          \
    if ((call) != napi_ok) {                                                    \
      bool pending_;                                                            \
      napi_is_exception_pending((env), &pending_);                              \
      if (!pending_) napi_throw_error((env), NULL, "native: " #call " failed"); \
      return NULL;                                                              \
    }                                                                           \
  } while (0)

/* Throws an Error with `code` (ENOENT ...), `errno` (positive number) and `syscall`, and a message "syscall: detail". */
napi_value cpn_throw_errno(napi_env env, int error, const char *syscall, const char *detail);

/* The bytes of a Uint8Array/Buffer argument; false (exception pending) when it is not one. */
bool cpn_bytes(napi_env env, napi_value value, unsigned char **data, size_t *length);

void cpn_export(napi_env env, napi_value exports, const char *name, napi_callback callback);

/* One a file. */
void cpn_register_socket(napi_env env, napi_value exports); /* socket.c: sockets, batches, ioctl, interface names */
void cpn_register_system(napi_env env, napi_value exports); /* system.c: tun, plain descriptors, clocks, timerfd, namespaces */
void cpn_register_poll(napi_env env, napi_value exports);   /* poll.c: uv_poll handles */
void cpn_register_bpf(napi_env env, napi_value exports);    /* bpf.c: libbpf object load, maps, tc attach, bpffs */
void cpn_register_wire(napi_env env, napi_value exports);   /* wire.c: links of a lab */
void cpn_register_delay_line(napi_env env, napi_value exports); /* delayline.c: delay, loss and rate on links of a lab */
void cpn_register_benchmark(napi_env env, napi_value exports); /* benchmark.c: what the processors do in a bounded time */
