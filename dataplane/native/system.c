/* TUN devices, batches on plain descriptors, clocks, timerfd and network namespaces. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"

static napi_value tun_open(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  bool persistent;
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_text(env, argv[0], request.ifr_name, sizeof request.ifr_name) ||
      !argument_bool(env, argv[1], &persistent))
    return NULL;
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return cpn_throw_errno(env, errno, "open", "/dev/net/tun");
  const char *failed = NULL;
  if (ioctl(fd, TUNSETIFF, &request) < 0) failed = "TUNSETIFF";
  else if (ioctl(fd, TUNSETPERSIST, (unsigned long)persistent) < 0) failed = "TUNSETPERSIST";
  if (failed) {
    int error = errno;
    close(fd);
    return cpn_throw_errno(env, error, failed, request.ifr_name);
  }
  return result_int(env, fd);
}

/*
 * Speed of an interface in Mbit/s as its driver states it (ETHTOOL_GLINKSETTINGS, ethtool(8)); 0 where it states none. By name, because /sys may
 * be that of another network namespace.
 */
static napi_value interface_speed(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct {
    struct ethtool_link_settings head;
    uint32_t masks[3 * SCHAR_MAX];
  } settings = {.head.cmd = ETHTOOL_GLINKSETTINGS};
  struct ifreq request = {.ifr_data = (void *)&settings};
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_text(env, argv[0], request.ifr_name, sizeof request.ifr_name)) return NULL;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return cpn_throw_errno(env, errno, "socket", NULL);
  /* The first call asks for the size of the masks, which the kernel answers as a negative number. */
  int failed = ioctl(fd, SIOCETHTOOL, &request);
  if (failed == 0 && settings.head.link_mode_masks_nwords < 0) {
    settings.head.cmd = ETHTOOL_GLINKSETTINGS;
    settings.head.link_mode_masks_nwords = -settings.head.link_mode_masks_nwords;
    failed = ioctl(fd, SIOCETHTOOL, &request);
  }
  close(fd);
  bool known = failed == 0 && settings.head.speed != (uint32_t)SPEED_UNKNOWN && settings.head.speed <= INT_MAX;
  return result_int(env, known ? (int)settings.head.speed : 0);
}

static napi_value descriptor_read_batch(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  int fd;
  unsigned char *arena;
  int32_t *lengths;
  size_t arena_size, count;
  if (!arguments_get(env, info, 3, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &arena, &arena_size) ||
      !argument_int32s(env, argv[2], &lengths, &count))
    return NULL;
  size_t stride = count ? arena_size / count : 0;
  size_t done = 0;
  while (done < count) {
    ssize_t length = read(fd, arena + done * stride, stride);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || done > 0) break; /* another error comes back at the next call */
      return cpn_throw_errno(env, errno, "read", NULL);
    }
    if (length == 0) break; /* end of file */
    lengths[done++] = length;
  }
  return result_int(env, done);
}

static napi_value descriptor_write_batch(napi_env env, napi_callback_info info) {
  napi_value argv[6];
  int fd, count;
  unsigned char *arena;
  int32_t *offsets, *lengths, *errors;
  size_t arena_size, offset_count, length_count, error_count;
  if (!arguments_get(env, info, 6, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &arena, &arena_size) ||
      !argument_int32s(env, argv[2], &offsets, &offset_count) || !argument_int32s(env, argv[3], &lengths, &length_count) ||
      !argument_int(env, argv[4], &count) || !argument_int32s(env, argv[5], &errors, &error_count))
    return NULL;
  if (!argument_spans(env, arena_size, offsets, offset_count, lengths, length_count, count)) return NULL;
  if (!error_count) {
    napi_throw_range_error(env, NULL, "writeBatch: errors is empty");
    return NULL;
  }
  int written = 0;
  for (int i = 0; i < count; i++) {
    ssize_t length;
    do length = write(fd, arena + offsets[i], lengths[i]);
    while (length < 0 && errno == EINTR);
    if (length >= 0) written++;
    else if (errno == EAGAIN) break;
    else if (errno == EBADF || errno == EBADFD) return cpn_throw_errno(env, errno, "write", NULL); /* the descriptor, not the packet */
    else errors[0]++;
  }
  return result_int(env, written);
}

static napi_value clock_read(napi_env env, clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  napi_value result;
  CPN_CALL(env, napi_create_bigint_int64(env, now.tv_sec * 1000000000LL + now.tv_nsec, &result));
  return result;
}

static napi_value clock_monotonic(napi_env env, napi_callback_info info) {
  (void)info;
  return clock_read(env, CLOCK_MONOTONIC);
}

static napi_value clock_realtime(napi_env env, napi_callback_info info) {
  (void)info;
  return clock_read(env, CLOCK_REALTIME);
}

static napi_value timer_create_fd(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  return fd < 0 ? cpn_throw_errno(env, errno, "timerfd_create", NULL) : result_int(env, fd);
}

static napi_value timer_set(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int fd;
  int64_t deadline;
  bool lossless;
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_int(env, argv[0], &fd)) return NULL;
  if (napi_get_value_bigint_int64(env, argv[1], &deadline, &lossless) != napi_ok || !lossless || deadline < 0) {
    napi_throw_type_error(env, NULL, "expected a time in ns as bigint");
    return NULL;
  }
  struct itimerspec when = {.it_value = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000}};
  if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) return cpn_throw_errno(env, errno, "timerfd_settime", NULL);
  return NULL;
}

static napi_value timer_read(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int fd;
  uint64_t expirations;
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_int(env, argv[0], &fd)) return NULL;
  if (read(fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN) return cpn_throw_errno(env, errno, "read", NULL);
  return NULL;
}

static napi_value namespace_run(napi_env env, napi_callback_info info) {
  napi_value argv[2], receiver, result = NULL;
  char path[PATH_MAX];
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_text(env, argv[0], path, sizeof path)) return NULL;
  CPN_CALL(env, napi_get_undefined(env, &receiver));

  /* thread-self: namespaces belong to threads, and a worker's may differ from the process's first thread. */
  int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return cpn_throw_errno(env, errno, "open", "/proc/thread-self/ns/net");
  int target = open(path, O_RDONLY | O_CLOEXEC);
  if (target < 0) {
    int error = errno;
    close(home);
    return cpn_throw_errno(env, error, "open", path);
  }
  int entered = setns(target, CLONE_NEWNET);
  int error = errno;
  close(target);
  if (entered < 0) {
    close(home);
    return cpn_throw_errno(env, error, "setns", path);
  }
  napi_status status = napi_call_function(env, receiver, argv[1], 0, NULL, &result);
  /* Going on in the wrong namespace would program the wrong router. */
  if (setns(home, CLONE_NEWNET) < 0) napi_fatal_error("inNetworkNamespace", NAPI_AUTO_LENGTH, "cannot return to the network namespace", NAPI_AUTO_LENGTH);
  close(home);
  CPN_CALL(env, status);
  bool promise;
  CPN_CALL(env, napi_is_promise(env, result, &promise));
  if (promise) {
    napi_throw_type_error(env, NULL, "inNetworkNamespace: the body must be synchronous; what it awaits would run outside the namespace");
    return NULL;
  }
  return result;
}

static napi_value thread_schedule_real_time(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct sched_param parameters = {0};
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_int(env, argv[0], &parameters.sched_priority)) return NULL;
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters) < 0) return cpn_throw_errno(env, errno, "sched_setscheduler", NULL);
  return NULL;
}

void cpn_register_system(napi_env env, napi_value exports) {
  cpn_export(env, exports, "openTun", tun_open);
  cpn_export(env, exports, "interfaceSpeed", interface_speed);
  cpn_export(env, exports, "readBatch", descriptor_read_batch);
  cpn_export(env, exports, "writeBatch", descriptor_write_batch);
  cpn_export(env, exports, "monotonicNs", clock_monotonic);
  cpn_export(env, exports, "realtimeNs", clock_realtime);
  cpn_export(env, exports, "timerfdCreate", timer_create_fd);
  cpn_export(env, exports, "timerfdSet", timer_set);
  cpn_export(env, exports, "timerfdRead", timer_read);
  cpn_export(env, exports, "scheduleRealTime", thread_schedule_real_time);
  cpn_export(env, exports, "inNetworkNamespace", namespace_run);
}
