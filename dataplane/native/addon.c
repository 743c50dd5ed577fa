/* Module entry and what all files of the addon share. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "native.h"

napi_value cpn_throw_errno(napi_env env, int error, const char *syscall, const char *detail) {
  const char *symbol = strerrorname_np(error);
  char unknown[24];
  if (!symbol) {
    snprintf(unknown, sizeof unknown, "E%d", error);
    symbol = unknown;
  }
  char message[1024];
  char description[128];
  snprintf(message, sizeof message, "%s: %s: %s%s%s", syscall, symbol, strerror_r(error, description, sizeof description), detail ? ": " : "",
           detail ? detail : "");

  napi_value code, text, number, name, exception;
  CPN_CALL(env, napi_create_string_utf8(env, symbol, NAPI_AUTO_LENGTH, &code));
  CPN_CALL(env, napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text));
  CPN_CALL(env, napi_create_int32(env, error, &number));
  CPN_CALL(env, napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &name));
  CPN_CALL(env, napi_create_error(env, code, text, &exception));
  CPN_CALL(env, napi_set_named_property(env, exception, "errno", number));
  CPN_CALL(env, napi_set_named_property(env, exception, "syscall", name));
  CPN_CALL(env, napi_throw(env, exception));
  return NULL;
}

bool cpn_bytes(napi_env env, napi_value value, unsigned char **data, size_t *length) {
  napi_typedarray_type type;
  void *memory;
  if (napi_get_typedarray_info(env, value, &type, length, &memory, NULL, NULL) == napi_ok && type == napi_uint8_array) {
    *data = memory;
    return true;
  }
  napi_throw_type_error(env, NULL, "expected a Uint8Array");
  return false;
}

void cpn_export(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, name, function) != napi_ok)
    napi_fatal_error("cpn_export", NAPI_AUTO_LENGTH, name, NAPI_AUTO_LENGTH);
}

NAPI_MODULE_INIT() {
  cpn_register_socket(env, exports);
  cpn_register_system(env, exports);
  cpn_register_poll(env, exports);
  cpn_register_wire(env, exports);
  cpn_register_delay_line(env, exports);
  cpn_register_bpf(env, exports);
  cpn_register_benchmark(env, exports);
  return exports;
}
