/* Checked conversion of JavaScript arguments. Each returns false with an exception pending when the value is not what it should be. */
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "native.h"

/* Fetches `count` arguments (missing ones are undefined) and, where asked, `this`. */
static inline bool arguments_get(napi_env env, napi_callback_info info, size_t count, napi_value *values, napi_value *receiver) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, receiver, NULL) == napi_ok) return true;
  napi_throw_error(env, NULL, "native: cannot read the arguments");
  return false;
}

static inline bool argument_int(napi_env env, napi_value value, int *result) {
  int32_t number;
  if (napi_get_value_int32(env, value, &number) == napi_ok) {
    *result = number;
    return true;
  }
  napi_throw_type_error(env, NULL, "expected an integer");
  return false;
}

static inline bool argument_bool(napi_env env, napi_value value, bool *result) {
  if (napi_get_value_bool(env, value, result) == napi_ok) return true;
  napi_throw_type_error(env, NULL, "expected a boolean");
  return false;
}

/* Copies a string of at most size - 1 octets; longer text is refused, not cut. */
static inline bool argument_text(napi_env env, napi_value value, char *text, size_t size) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected a string");
    return false;
  }
  if (length >= size) {
    char message[64];
    snprintf(message, sizeof message, "text is longer than %zu octets", size - 1);
    napi_throw_range_error(env, NULL, message);
    return false;
  }
  napi_get_value_string_utf8(env, value, text, size, &length);
  return true;
}

static inline bool argument_missing(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && (type == napi_null || type == napi_undefined);
}

/* As cpn_bytes, but null and undefined give a null pointer of length 0. */
static inline bool argument_optional_bytes(napi_env env, napi_value value, unsigned char **data, size_t *length) {
  *data = NULL;
  *length = 0;
  return argument_missing(env, value) || cpn_bytes(env, value, data, length);
}

static inline bool argument_int32s(napi_env env, napi_value value, int32_t **data, size_t *length) {
  napi_typedarray_type type;
  void *memory;
  if (napi_get_typedarray_info(env, value, &type, length, &memory, NULL, NULL) == napi_ok && type == napi_int32_array) {
    *data = memory;
    return true;
  }
  napi_throw_type_error(env, NULL, "expected an Int32Array");
  return false;
}

static inline bool argument_optional_int32s(napi_env env, napi_value value, int32_t **data, size_t *length) {
  *data = NULL;
  *length = 0;
  return argument_missing(env, value) || argument_int32s(env, value, data, length);
}

/* Checks that `count` spans given by offsets and lengths all lie inside an arena. */
static inline bool argument_spans(napi_env env, size_t arena_size, const int32_t *offsets, size_t offset_count, const int32_t *lengths,
                                  size_t length_count, int count) {
  bool valid = count >= 0 && (size_t)count <= offset_count && (size_t)count <= length_count;
  for (int i = 0; valid && i < count; i++)
    valid = offsets[i] >= 0 && lengths[i] >= 0 && (size_t)offsets[i] + (size_t)lengths[i] <= arena_size;
  if (!valid) napi_throw_range_error(env, NULL, "a packet lies outside the arena, or count is larger than the arrays");
  return valid;
}

static inline napi_value result_int(napi_env env, int number) {
  napi_value value;
  CPN_CALL(env, napi_create_int32(env, number, &value));
  return value;
}
