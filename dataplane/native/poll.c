/*
 * uv_poll handles. libuv's functions come from the node binary; only its header is needed to build.
 *
 * Lifetime: a strong reference keeps the JavaScript object while the handle is open. The structure is freed when both the uv
 * handle is closed and the object was collected, whichever is last.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <uv.h>

#include "arguments.h"

struct poll {
  napi_env env;
  /* Sized by uv_handle_size: node's libuv need not be the one whose header this was built with. */
  uv_poll_t *handle;
  int fd;
  int events;
  napi_ref object;
  napi_ref callback;
  napi_async_context context;
  napi_async_cleanup_hook_handle teardown;
  bool closing;
  bool uv_closed;
  bool collected;
};

static const napi_type_tag POLL_TAG = {0x63706e2d706f6c6cULL, 0x1f0c6a52d3e94b7aULL};

static void poll_free_when_unused(struct poll *poll) {
  if (!poll->uv_closed || !poll->collected) return;
  free(poll->handle);
  free(poll);
}

static void poll_on_collect(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct poll *poll = data;
  poll->collected = true;
  poll_free_when_unused(poll);
}

static void poll_on_closed(uv_handle_t *handle) {
  struct poll *poll = uv_handle_get_data(handle);
  napi_remove_async_cleanup_hook(poll->teardown);
  poll->uv_closed = true;
  poll_free_when_unused(poll);
}

static void poll_close(struct poll *poll) {
  if (poll->closing) return;
  poll->closing = true;
  napi_handle_scope scope;
  if (napi_open_handle_scope(poll->env, &scope) == napi_ok) {
    napi_delete_reference(poll->env, poll->callback);
    napi_delete_reference(poll->env, poll->object);
    napi_async_destroy(poll->env, poll->context);
    napi_close_handle_scope(poll->env, scope);
  }
  uv_close((uv_handle_t *)poll->handle, poll_on_closed);
}

/* Environment teardown (process exit, end of a worker): node waits until poll_on_closed removed the hook. */
static void poll_on_teardown(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  poll_close(data);
}

static void poll_on_ready(uv_poll_t *handle, int status, int events);

static int poll_start(struct poll *poll) {
  return poll->events ? uv_poll_start(poll->handle, poll->events, poll_on_ready) : uv_poll_stop(poll->handle);
}

static void poll_on_ready(uv_poll_t *handle, int status, int events) {
  struct poll *poll = uv_handle_get_data((uv_handle_t *)handle);
  if (status == UV_EBADF && fcntl(poll->fd, F_GETFD) >= 0) {
    /*
     * libuv stops the handle and reports EBADF for every POLLERR, which a socket also raises for a queued error (ENOBUFS of
     * netlink, ECONNREFUSED of UDP). Call it ready instead: the next read or write returns the error and clears it.
     */
    int restarted = poll_start(poll);
    status = restarted < 0 ? restarted : 0;
    events = restarted < 0 ? 0 : poll->events;
  }
  napi_env env = poll->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value receiver, callback, argv[2];
  if (napi_get_reference_value(env, poll->object, &receiver) == napi_ok && napi_get_reference_value(env, poll->callback, &callback) == napi_ok &&
      napi_create_int32(env, status, &argv[0]) == napi_ok && napi_create_int32(env, events, &argv[1]) == napi_ok &&
      napi_make_callback(env, poll->context, receiver, callback, 2, argv, NULL) == napi_pending_exception) {
    napi_value exception;
    if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
  }
  napi_close_handle_scope(env, scope);
}

static struct poll *poll_of(napi_env env, napi_value object) {
  bool tagged = false;
  struct poll *poll;
  if (napi_check_object_type_tag(env, object, &POLL_TAG, &tagged) == napi_ok && tagged && napi_unwrap(env, object, (void **)&poll) == napi_ok) return poll;
  napi_throw_type_error(env, NULL, "not a poll handle");
  return NULL;
}

static napi_value handle_update(napi_env env, napi_callback_info info) {
  napi_value argv[1], receiver;
  int events;
  if (!arguments_get(env, info, 1, argv, &receiver) || !argument_int(env, argv[0], &events)) return NULL;
  struct poll *poll = poll_of(env, receiver);
  if (!poll || poll->closing) return NULL;
  poll->events = events & (UV_READABLE | UV_WRITABLE);
  int result = poll_start(poll);
  if (result < 0) return cpn_throw_errno(env, -result, "uv_poll_start", NULL);
  return NULL;
}

static napi_value handle_ref(napi_env env, napi_callback_info info) {
  napi_value receiver;
  if (!arguments_get(env, info, 0, NULL, &receiver)) return NULL;
  struct poll *poll = poll_of(env, receiver);
  if (poll && !poll->closing) uv_ref((uv_handle_t *)poll->handle);
  return NULL;
}

static napi_value handle_unref(napi_env env, napi_callback_info info) {
  napi_value receiver;
  if (!arguments_get(env, info, 0, NULL, &receiver)) return NULL;
  struct poll *poll = poll_of(env, receiver);
  if (poll && !poll->closing) uv_unref((uv_handle_t *)poll->handle);
  return NULL;
}

static napi_value handle_close(napi_env env, napi_callback_info info) {
  napi_value receiver;
  if (!arguments_get(env, info, 0, NULL, &receiver)) return NULL;
  struct poll *poll = poll_of(env, receiver);
  if (poll) poll_close(poll);
  return NULL;
}

static napi_value poll_create(napi_env env, napi_callback_info info) {
  napi_value argv[3], object, name;
  int fd, events;
  if (!arguments_get(env, info, 3, argv, NULL) || !argument_int(env, argv[0], &fd) || !argument_int(env, argv[1], &events)) return NULL;
  napi_valuetype type;
  CPN_CALL(env, napi_typeof(env, argv[2], &type));
  if (type != napi_function) {
    napi_throw_type_error(env, NULL, "poll: expected a callback");
    return NULL;
  }
  uv_loop_t *loop;
  CPN_CALL(env, napi_get_uv_event_loop(env, &loop));
  const napi_property_descriptor methods[] = {
      {.utf8name = "update", .method = handle_update, .attributes = napi_default_method},
      {.utf8name = "ref", .method = handle_ref, .attributes = napi_default_method},
      {.utf8name = "unref", .method = handle_unref, .attributes = napi_default_method},
      {.utf8name = "close", .method = handle_close, .attributes = napi_default_method},
  };
  CPN_CALL(env, napi_create_object(env, &object));
  CPN_CALL(env, napi_define_properties(env, object, sizeof methods / sizeof *methods, methods));
  CPN_CALL(env, napi_type_tag_object(env, object, &POLL_TAG));
  CPN_CALL(env, napi_create_string_utf8(env, "cpn.poll", NAPI_AUTO_LENGTH, &name));

  struct poll *poll = calloc(1, sizeof *poll);
  uv_poll_t *handle = calloc(1, uv_handle_size(UV_POLL));
  if (!poll || !handle) napi_fatal_error("poll", NAPI_AUTO_LENGTH, "out of memory", NAPI_AUTO_LENGTH);
  poll->env = env;
  poll->handle = handle;
  poll->fd = fd;
  poll->events = events & (UV_READABLE | UV_WRITABLE);
  int result = uv_poll_init(loop, handle, fd);
  if (result < 0) {
    free(handle);
    free(poll);
    return cpn_throw_errno(env, -result, "uv_poll_init", NULL);
  }
  uv_handle_set_data((uv_handle_t *)handle, poll);
  /* These fail only without memory or during teardown, where nothing could be handed back safely. */
  if (napi_wrap(env, object, poll, poll_on_collect, NULL, NULL) != napi_ok || napi_create_reference(env, object, 1, &poll->object) != napi_ok ||
      napi_create_reference(env, argv[2], 1, &poll->callback) != napi_ok || napi_async_init(env, object, name, &poll->context) != napi_ok ||
      napi_add_async_cleanup_hook(env, poll_on_teardown, poll, &poll->teardown) != napi_ok)
    napi_fatal_error("poll", NAPI_AUTO_LENGTH, "cannot register the handle", NAPI_AUTO_LENGTH);
  result = poll_start(poll);
  if (result < 0) {
    poll_close(poll);
    return cpn_throw_errno(env, -result, "uv_poll_start", NULL);
  }
  return object;
}

void cpn_register_poll(napi_env env, napi_value exports) {
  cpn_export(env, exports, "poll", poll_create);
}
