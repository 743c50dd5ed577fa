/* BPF through libbpf: loading an object, maps, tc attachment, bpffs. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "arguments.h"

/* What libbpf and the verifier said during the current call; the tail counts, so that a long verifier log keeps its verdict. */
static struct {
  char text[8192];
  size_t length;
} messages;

static int keep_message(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[4096];
  int length = vsnprintf(line, sizeof line, format, arguments);
  if (length < 0) return 0;
  if ((size_t)length >= sizeof line) length = sizeof line - 1;
  if (messages.length + length >= sizeof messages.text) {
    size_t keep = sizeof messages.text / 2;
    if (messages.length > keep) memmove(messages.text, messages.text + messages.length - keep, keep), messages.length = keep;
    if (messages.length + length >= sizeof messages.text) messages.length = 0;
  }
  memcpy(messages.text + messages.length, line, length);
  messages.length += length;
  messages.text[messages.length] = 0;
  return 0;
}

static void clear_messages(void) {
  messages.length = 0;
  messages.text[0] = 0;
}

/* As cpn_throw_errno, with libbpf's words in the message, however long. */
static napi_value throw_libbpf(napi_env env, int error, const char *syscall) {
  cpn_throw_errno(env, error, syscall, NULL);
  napi_value exception, text;
  if (messages.length && napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
    char *whole;
    if (asprintf(&whole, "%s: %s: %s", syscall, strerror(error), messages.text) >= 0) {
      if (napi_create_string_utf8(env, whole, NAPI_AUTO_LENGTH, &text) == napi_ok) napi_set_named_property(env, exception, "message", text);
      free(whole);
    }
    napi_throw(env, exception);
  }
  return NULL;
}

static bool map_info(napi_env env, int fd, struct bpf_map_info *info) {
  __u32 length = sizeof *info;
  memset(info, 0, sizeof *info);
  if (bpf_obj_get_info_by_fd(fd, info, &length) == 0) return true;
  cpn_throw_errno(env, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", NULL);
  return false;
}

/* Octets that one value takes in a call: per-CPU maps move one for every possible CPU, rounded up to 8 octets. */
static size_t value_octets(const struct bpf_map_info *info) {
  switch (info->type) {
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
      return (size_t)((info->value_size + 7) & ~7u) * libbpf_num_possible_cpus();
    default:
      return info->value_size;
  }
}

static bool check_room(napi_env env, size_t have, size_t need, const char *what) {
  if (have >= need) return true;
  char message[96];
  snprintf(message, sizeof message, "%s: %zu octets given, the map needs %zu", what, have, need);
  napi_throw_range_error(env, NULL, message);
  return false;
}

/* Fetches a descriptor, its map's sizes, and checks that `count` keys and values fit the arrays given (NULL: none wanted). */
static bool map_arguments(napi_env env, const napi_value *argv, int *fd, struct bpf_map_info *info, unsigned char **keys,
                          unsigned char **values, int count) {
  size_t key_length, value_length;
  if (!argument_int(env, argv[0], fd) || !map_info(env, *fd, info)) return false;
  if (count < 0) {
    napi_throw_range_error(env, NULL, "count is negative");
    return false;
  }
  if (!cpn_bytes(env, argv[1], keys, &key_length) || !check_room(env, key_length, (size_t)count * info->key_size, "keys")) return false;
  if (!values) return true;
  return cpn_bytes(env, argv[2], values, &value_length) && check_room(env, value_length, count * value_octets(info), "values");
}

/* A pinned map of another shape than the object wants is of an older program: it goes, and its name is reported. */
static int replace_incompatible(const char *path, const struct bpf_map *map, bool *replaced) {
  int fd = bpf_obj_get(path);
  *replaced = false;
  if (fd < 0) return errno == ENOENT ? 0 : errno;
  struct bpf_map_info info = {0};
  __u32 length = sizeof info;
  int error = bpf_obj_get_info_by_fd(fd, &info, &length) < 0 ? errno : 0;
  close(fd);
  if (error) return error;
  if (info.type == (__u32)bpf_map__type(map) && info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
      info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map))
    return 0;
  if (unlink(path) < 0) return errno;
  *replaced = true;
  return 0;
}

/* Sets maxEntries on the maps it names, and removes pins that do not fit any more. */
static bool prepare_maps(napi_env env, struct bpf_object *object, const char *pin_path, napi_value max_entries, napi_value replaced_names) {
  struct bpf_map *map;
  uint32_t replaced_count = 0;
  bpf_object__for_each_map(map, object) {
    const char *name = bpf_map__name(map);
    bool named;
    if (napi_has_named_property(env, max_entries, name, &named) != napi_ok) return false;
    if (named) {
      napi_value number;
      uint32_t entries;
      if (napi_get_named_property(env, max_entries, name, &number) != napi_ok || napi_get_value_uint32(env, number, &entries) != napi_ok) {
        napi_throw_type_error(env, NULL, "maxEntries: expected integers");
        return false;
      }
      bpf_map__set_max_entries(map, entries);
    }
    if (!bpf_map__pin_path(map)) continue;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", pin_path, name);
    bool replaced;
    int error = replace_incompatible(path, map, &replaced);
    if (error) {
      cpn_throw_errno(env, error, "bpf(BPF_OBJ_GET)", path);
      return false;
    }
    napi_value text;
    if (replaced && (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &text) != napi_ok ||
                     napi_set_element(env, replaced_names, replaced_count++, text) != napi_ok))
      return false;
  }
  return true;
}

/* Hands a duplicate descriptor to JavaScript, so that the object itself can be closed. */
static bool export_descriptor(napi_env env, napi_value record, const char *name, int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) {
    cpn_throw_errno(env, errno, "fcntl", name);
    return false;
  }
  napi_value number;
  if (napi_create_int32(env, copy, &number) == napi_ok && napi_set_named_property(env, record, name, number) == napi_ok) return true;
  close(copy);
  return false;
}

static bool export_descriptors(napi_env env, struct bpf_object *object, napi_value maps, napi_value programs) {
  struct bpf_map *map;
  bpf_object__for_each_map(map, object) if (!export_descriptor(env, maps, bpf_map__name(map), bpf_map__fd(map))) return false;
  struct bpf_program *program;
  bpf_object__for_each_program(program, object) if (!export_descriptor(env, programs, bpf_program__name(program), bpf_program__fd(program))) return false;
  return true;
}

static napi_value bpf_load(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  char object_path[4096], pin_path[2048];
  if (!arguments_get(env, info, 3, argv, NULL) || !argument_text(env, argv[0], object_path, sizeof object_path) ||
      !argument_text(env, argv[1], pin_path, sizeof pin_path))
    return NULL;
  napi_value result, maps, programs, replaced;
  CPN_CALL(env, napi_create_object(env, &result));
  CPN_CALL(env, napi_create_object(env, &maps));
  CPN_CALL(env, napi_create_object(env, &programs));
  CPN_CALL(env, napi_create_array(env, &replaced));
  CPN_CALL(env, napi_set_named_property(env, result, "maps", maps));
  CPN_CALL(env, napi_set_named_property(env, result, "programs", programs));
  CPN_CALL(env, napi_set_named_property(env, result, "replaced", replaced));

  clear_messages();
  LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = pin_path);
  struct bpf_object *object = bpf_object__open_file(object_path, &options);
  if (!object) return throw_libbpf(env, errno, "bpf_object__open_file");
  bool loaded = prepare_maps(env, object, pin_path, argv[2], replaced);
  if (loaded) {
    int error = bpf_object__load(object);
    if (error) throw_libbpf(env, -error, "bpf_object__load");
    loaded = !error && export_descriptors(env, object, maps, programs);
  }
  bpf_object__close(object);
  return loaded ? result : NULL;
}

static napi_value bpf_object_get(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  char path[4096];
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_text(env, argv[0], path, sizeof path)) return NULL;
  int fd = bpf_obj_get(path);
  if (fd < 0 && errno != ENOENT) return cpn_throw_errno(env, errno, "bpf(BPF_OBJ_GET)", path);
  return result_int(env, fd < 0 ? -1 : fd);
}

static napi_value bpf_object_pin(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int fd;
  char path[4096];
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_int(env, argv[0], &fd) || !argument_text(env, argv[1], path, sizeof path))
    return NULL;
  if (bpf_obj_pin(fd, path) < 0) return cpn_throw_errno(env, errno, "bpf(BPF_OBJ_PIN)", path);
  return NULL;
}

static bool set_number(napi_env env, napi_value record, const char *name, uint32_t number) {
  napi_value value;
  return napi_create_uint32(env, number, &value) == napi_ok && napi_set_named_property(env, record, name, value) == napi_ok;
}

static napi_value bpf_map_info_get(napi_env env, napi_callback_info info) {
  napi_value argv[1], result;
  int fd;
  struct bpf_map_info map;
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_int(env, argv[0], &fd) || !map_info(env, fd, &map)) return NULL;
  CPN_CALL(env, napi_create_object(env, &result));
  bool set = set_number(env, result, "type", map.type) && set_number(env, result, "keySize", map.key_size) &&
             set_number(env, result, "valueSize", map.value_size) && set_number(env, result, "maxEntries", map.max_entries) &&
             set_number(env, result, "id", map.id);
  return set ? result : NULL;
}

static napi_value result_bool(napi_env env, bool truth) {
  napi_value value;
  CPN_CALL(env, napi_get_boolean(env, truth, &value));
  return value;
}

static napi_value map_update(napi_env env, napi_callback_info call) {
  napi_value argv[4];
  int fd, flags;
  struct bpf_map_info info;
  unsigned char *key, *value;
  if (!arguments_get(env, call, 4, argv, NULL) || !map_arguments(env, argv, &fd, &info, &key, &value, 1) || !argument_int(env, argv[3], &flags))
    return NULL;
  if (bpf_map_update_elem(fd, key, value, flags) == 0) return result_bool(env, true);
  if (errno == (flags == BPF_NOEXIST ? EEXIST : flags == BPF_EXIST ? ENOENT : 0)) return result_bool(env, false);
  return cpn_throw_errno(env, errno, "bpf(BPF_MAP_UPDATE_ELEM)", info.name);
}

static napi_value map_update_batch(napi_env env, napi_callback_info call) {
  napi_value argv[5];
  int fd, wanted, flags;
  struct bpf_map_info info;
  unsigned char *keys, *values;
  if (!arguments_get(env, call, 5, argv, NULL) || !argument_int(env, argv[3], &wanted) || !argument_int(env, argv[4], &flags) ||
      !map_arguments(env, argv, &fd, &info, &keys, &values, wanted))
    return NULL;
  if (wanted == 0) return result_int(env, 0);
  LIBBPF_OPTS(bpf_map_batch_opts, options, .elem_flags = flags);
  __u32 count = wanted;
  if (bpf_map_update_batch(fd, keys, values, &count, &options) == 0) return result_int(env, count);
  int error = errno;
  if (error == EFAULT || error == EINVAL) return cpn_throw_errno(env, error, "bpf(BPF_MAP_UPDATE_BATCH)", info.name);
  return result_int(env, count);
}

static napi_value map_lookup(napi_env env, napi_callback_info call) {
  napi_value argv[3];
  int fd;
  struct bpf_map_info info;
  unsigned char *key, *value;
  if (!arguments_get(env, call, 3, argv, NULL) || !map_arguments(env, argv, &fd, &info, &key, &value, 1)) return NULL;
  if (bpf_map_lookup_elem(fd, key, value) == 0) return result_bool(env, true);
  if (errno == ENOENT) return result_bool(env, false);
  return cpn_throw_errno(env, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", info.name);
}

static napi_value map_delete(napi_env env, napi_callback_info call) {
  napi_value argv[2];
  int fd;
  struct bpf_map_info info;
  unsigned char *key;
  if (!arguments_get(env, call, 2, argv, NULL) || !map_arguments(env, argv, &fd, &info, &key, NULL, 1)) return NULL;
  if (bpf_map_delete_elem(fd, key) == 0) return result_bool(env, true);
  if (errno == ENOENT) return result_bool(env, false);
  return cpn_throw_errno(env, errno, "bpf(BPF_MAP_DELETE_ELEM)", info.name);
}

/* The kernel stops at the first key that is absent; that one is skipped. */
static napi_value map_delete_batch(napi_env env, napi_callback_info call) {
  napi_value argv[3];
  int fd, wanted;
  struct bpf_map_info info;
  unsigned char *keys;
  if (!arguments_get(env, call, 3, argv, NULL) || !argument_int(env, argv[2], &wanted) ||
      !map_arguments(env, argv, &fd, &info, &keys, NULL, wanted))
    return NULL;
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  int position = 0, deleted = 0;
  while (position < wanted) {
    __u32 count = wanted - position;
    int failed = bpf_map_delete_batch(fd, keys + (size_t)position * info.key_size, &count, &options);
    if (failed && errno != ENOENT) return cpn_throw_errno(env, errno, "bpf(BPF_MAP_DELETE_BATCH)", info.name);
    deleted += count;
    position += count + (failed ? 1 : 0);
  }
  return result_int(env, deleted);
}

static napi_value map_lookup_batch(napi_env env, napi_callback_info call) {
  napi_value argv[6], result, number, truth;
  int fd, wanted;
  bool first;
  struct bpf_map_info info;
  unsigned char *cursor, *keys, *values;
  size_t cursor_length;
  if (!arguments_get(env, call, 6, argv, NULL) || !argument_int(env, argv[5], &wanted) || !argument_bool(env, argv[2], &first) ||
      !cpn_bytes(env, argv[1], &cursor, &cursor_length))
    return NULL;
  napi_value map_argv[3] = {argv[0], argv[3], argv[4]};
  if (!map_arguments(env, map_argv, &fd, &info, &keys, &values, wanted) ||
      !check_room(env, cursor_length, info.key_size > 4 ? info.key_size : 4, "cursor"))
    return NULL;
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  __u32 count = wanted;
  bool done = false;
  if (bpf_map_lookup_batch(fd, first ? NULL : cursor, cursor, keys, values, &count, &options) != 0) {
    if (errno != ENOENT) return cpn_throw_errno(env, errno, "bpf(BPF_MAP_LOOKUP_BATCH)", info.name);
    done = true;
  }
  CPN_CALL(env, napi_create_object(env, &result));
  CPN_CALL(env, napi_create_uint32(env, count, &number));
  CPN_CALL(env, napi_get_boolean(env, done, &truth));
  CPN_CALL(env, napi_set_named_property(env, result, "count", number));
  CPN_CALL(env, napi_set_named_property(env, result, "done", truth));
  return result;
}

static napi_value possible_cpus(napi_env env, napi_callback_info info) {
  (void)info;
  int count = libbpf_num_possible_cpus();
  if (count < 0) return cpn_throw_errno(env, -count, "libbpf_num_possible_cpus", NULL);
  return result_int(env, count);
}

static bool tc_hook(napi_env env, napi_value ifindex, napi_value direction, struct bpf_tc_hook *hook) {
  char text[16];
  memset(hook, 0, sizeof *hook);
  hook->sz = sizeof *hook;
  if (!argument_int(env, ifindex, &hook->ifindex) || !argument_text(env, direction, text, sizeof text)) return false;
  hook->attach_point = strcmp(text, "egress") == 0 ? BPF_TC_EGRESS : BPF_TC_INGRESS;
  clear_messages();
  return true;
}

static napi_value tc_attach(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  struct bpf_tc_hook hook;
  int program, priority;
  if (!arguments_get(env, info, 4, argv, NULL) || !tc_hook(env, argv[0], argv[1], &hook) || !argument_int(env, argv[2], &program) ||
      !argument_int(env, argv[3], &priority))
    return NULL;
  int error = bpf_tc_hook_create(&hook);
  if (error && error != -EEXIST) return throw_libbpf(env, -error, "bpf_tc_hook_create");
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = BPF_TC_F_REPLACE, .handle = 1, .priority = priority);
  error = bpf_tc_attach(&hook, &options);
  if (error) return throw_libbpf(env, -error, "bpf_tc_attach");
  return NULL;
}

/* Whether the kernel's answer means that nothing is attached there: no filter, no clsact, no such interface. */
static bool tc_absent(int error) { return error == -ENOENT || error == -EINVAL || error == -ENODEV; }

static napi_value tc_detach(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  struct bpf_tc_hook hook;
  int priority;
  if (!arguments_get(env, info, 3, argv, NULL) || !tc_hook(env, argv[0], argv[1], &hook) || !argument_int(env, argv[2], &priority)) return NULL;
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = priority);
  int error = bpf_tc_detach(&hook, &options);
  if (error && !tc_absent(error)) return throw_libbpf(env, -error, "bpf_tc_detach");
  return result_bool(env, !error);
}

static napi_value tc_query(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  struct bpf_tc_hook hook;
  int priority;
  if (!arguments_get(env, info, 3, argv, NULL) || !tc_hook(env, argv[0], argv[1], &hook) || !argument_int(env, argv[2], &priority)) return NULL;
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = priority);
  int error = bpf_tc_query(&hook, &options);
  if (error && !tc_absent(error)) return throw_libbpf(env, -error, "bpf_tc_query");
  return result_int(env, error ? 0 : options.prog_id);
}

static napi_value mount_bpffs(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  char path[4096];
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_text(env, argv[0], path, sizeof path)) return NULL;
  for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (mkdir(path, 0755) < 0 && errno != EEXIST) return cpn_throw_errno(env, errno, "mkdir", path);
    *slash = '/';
  }
  if (mkdir(path, 0700) < 0 && errno != EEXIST) return cpn_throw_errno(env, errno, "mkdir", path);
  struct statfs filesystem;
  if (statfs(path, &filesystem) < 0) return cpn_throw_errno(env, errno, "statfs", path);
  if (filesystem.f_type != BPF_FS_MAGIC && mount("bpf", path, "bpf", 0, "mode=0700") < 0) return cpn_throw_errno(env, errno, "mount", path);
  return NULL;
}

void cpn_register_bpf(napi_env env, napi_value exports) {
  libbpf_set_print(keep_message);
  cpn_export(env, exports, "bpfLoad", bpf_load);
  cpn_export(env, exports, "bpfObjectGet", bpf_object_get);
  cpn_export(env, exports, "bpfObjectPin", bpf_object_pin);
  cpn_export(env, exports, "bpfMapInfo", bpf_map_info_get);
  cpn_export(env, exports, "bpfMapUpdate", map_update);
  cpn_export(env, exports, "bpfMapUpdateBatch", map_update_batch);
  cpn_export(env, exports, "bpfMapLookup", map_lookup);
  cpn_export(env, exports, "bpfMapDelete", map_delete);
  cpn_export(env, exports, "bpfMapDeleteBatch", map_delete_batch);
  cpn_export(env, exports, "bpfMapLookupBatch", map_lookup_batch);
  cpn_export(env, exports, "bpfPossibleCpus", possible_cpus);
  cpn_export(env, exports, "tcAttach", tc_attach);
  cpn_export(env, exports, "tcDetach", tc_detach);
  cpn_export(env, exports, "tcQuery", tc_query);
  cpn_export(env, exports, "mountBpffs", mount_bpffs);
}
