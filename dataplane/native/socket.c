/* Sockets of any family and batches of datagrams. */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arguments.h"

/* The kernel takes no more messages a call (UIO_MAXIOV). */
#define MAX_BATCH 1024

static napi_value socket_create(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  int domain, type, protocol;
  if (!arguments_get(env, info, 3, argv, NULL) || !argument_int(env, argv[0], &domain) || !argument_int(env, argv[1], &type) ||
      !argument_int(env, argv[2], &protocol))
    return NULL;
  int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  return fd < 0 ? cpn_throw_errno(env, errno, "socket", NULL) : result_int(env, fd);
}

static napi_value socket_bind(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int fd;
  unsigned char *address;
  size_t length;
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &address, &length)) return NULL;
  if (bind(fd, (struct sockaddr *)address, length) < 0) return cpn_throw_errno(env, errno, "bind", NULL);
  return NULL;
}

static napi_value socket_connect(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int fd;
  unsigned char *address;
  size_t length;
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &address, &length)) return NULL;
  if (connect(fd, (struct sockaddr *)address, length) < 0 && errno != EINPROGRESS) return cpn_throw_errno(env, errno, "connect", NULL);
  return NULL;
}

static napi_value socket_listen(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int fd, backlog;
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_int(env, argv[0], &fd) || !argument_int(env, argv[1], &backlog)) return NULL;
  if (listen(fd, backlog) < 0) return cpn_throw_errno(env, errno, "listen", NULL);
  return NULL;
}

static napi_value copy_of(napi_env env, const void *data, size_t length) {
  napi_value buffer, array;
  void *memory;
  CPN_CALL(env, napi_create_arraybuffer(env, length, &memory, &buffer));
  if (length) memcpy(memory, data, length);
  CPN_CALL(env, napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array));
  return array;
}

/* accept(2): these concern the connection that was waiting, which is gone; the next one may be fine. */
static bool concerns_one_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

static napi_value socket_accept(napi_env env, napi_callback_info info) {
  napi_value argv[1], result, number, name;
  int listener;
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_int(env, argv[0], &listener)) return NULL;
  struct sockaddr_storage address;
  socklen_t length;
  int fd;
  do {
    length = sizeof address;
    fd = accept4(listener, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && concerns_one_connection(errno));
  if (fd < 0) {
    if (errno != EAGAIN) return cpn_throw_errno(env, errno, "accept", NULL);
    CPN_CALL(env, napi_get_null(env, &result));
    return result;
  }
  if (!(number = result_int(env, fd)) || !(name = copy_of(env, &address, length)) || napi_create_object(env, &result) != napi_ok ||
      napi_set_named_property(env, result, "fd", number) != napi_ok || napi_set_named_property(env, result, "address", name) != napi_ok) {
    close(fd);
    return NULL;
  }
  return result;
}

static napi_value socket_getsockname(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int fd;
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_int(env, argv[0], &fd)) return NULL;
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return cpn_throw_errno(env, errno, "getsockname", NULL);
  return copy_of(env, &address, length);
}

static napi_value descriptor_close(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  int fd;
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_int(env, argv[0], &fd)) return NULL;
  /* On Linux the descriptor is gone after EINTR too; closing again could hit another file. */
  if (close(fd) < 0 && errno != EINTR) return cpn_throw_errno(env, errno, "close", NULL);
  return NULL;
}

static napi_value socket_setsockopt(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  int fd, level, option;
  if (!arguments_get(env, info, 4, argv, NULL) || !argument_int(env, argv[0], &fd) || !argument_int(env, argv[1], &level) ||
      !argument_int(env, argv[2], &option))
    return NULL;
  napi_valuetype type;
  CPN_CALL(env, napi_typeof(env, argv[3], &type));
  int result;
  if (type == napi_number) {
    int number;
    if (!argument_int(env, argv[3], &number)) return NULL;
    result = setsockopt(fd, level, option, &number, sizeof number);
  } else {
    unsigned char *value;
    size_t length;
    if (!cpn_bytes(env, argv[3], &value, &length)) return NULL;
    result = setsockopt(fd, level, option, value, length);
  }
  if (result < 0) {
    int error = errno;
    char detail[48];
    snprintf(detail, sizeof detail, "level %d option %d", level, option);
    return cpn_throw_errno(env, error, "setsockopt", detail);
  }
  return NULL;
}

static napi_value socket_getsockopt(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  int fd, level, option, wanted;
  if (!arguments_get(env, info, 4, argv, NULL) || !argument_int(env, argv[0], &fd) || !argument_int(env, argv[1], &level) ||
      !argument_int(env, argv[2], &option) || !argument_int(env, argv[3], &wanted))
    return NULL;
  unsigned char value[1024];
  if (wanted < 0 || (size_t)wanted > sizeof value) {
    napi_throw_range_error(env, NULL, "an option has at most 1024 octets");
    return NULL;
  }
  socklen_t length = wanted;
  if (getsockopt(fd, level, option, value, &length) < 0) return cpn_throw_errno(env, errno, "getsockopt", NULL);
  return copy_of(env, value, length);
}

static napi_value socket_sendmsg(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  int fd;
  struct iovec vector;
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  unsigned char *data, *address, *control;
  size_t address_length;
  if (!arguments_get(env, info, 4, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &data, &vector.iov_len) ||
      !argument_optional_bytes(env, argv[2], &address, &address_length) || !argument_optional_bytes(env, argv[3], &control, &message.msg_controllen))
    return NULL;
  vector.iov_base = data;
  message.msg_name = address;
  message.msg_namelen = address_length;
  message.msg_control = control;
  ssize_t sent;
  do sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && errno != EAGAIN) return cpn_throw_errno(env, errno, "sendmsg", NULL);
  return result_int(env, sent);
}

static napi_value socket_recv_batch(napi_env env, napi_callback_info info) {
  napi_value argv[6];
  int fd;
  unsigned char *arena, *names, *control;
  int32_t *lengths, *control_lengths;
  size_t arena_size, count, names_size, control_size, control_count;
  if (!arguments_get(env, info, 6, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &arena, &arena_size) ||
      !argument_int32s(env, argv[2], &lengths, &count) || !argument_optional_bytes(env, argv[3], &names, &names_size) ||
      !argument_optional_bytes(env, argv[4], &control, &control_size) ||
      !argument_optional_int32s(env, argv[5], &control_lengths, &control_count))
    return NULL;
  if (!count || (control && control_count < count)) {
    napi_throw_range_error(env, NULL, "recvBatch: lengths is empty, or controlLengths is shorter than lengths");
    return NULL;
  }
  size_t stride = arena_size / count, name_stride = names_size / count, control_stride = control_size / count;
  /* One call only: a second one could take an error (ENOBUFS of netlink) that the caller would then never see. */
  if (count > MAX_BATCH) count = MAX_BATCH;

  struct mmsghdr messages[MAX_BATCH];
  struct iovec vectors[MAX_BATCH];
  for (size_t i = 0; i < count; i++) {
    vectors[i] = (struct iovec){.iov_base = arena + i * stride, .iov_len = stride};
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = names ? names + i * name_stride : NULL,
        .msg_namelen = name_stride,
        .msg_iov = &vectors[i],
        .msg_iovlen = 1,
        .msg_control = control ? control + i * control_stride : NULL,
        .msg_controllen = control_stride,
    };
  }
  int received;
  do received = recvmmsg(fd, messages, count, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC, NULL);
  while (received < 0 && errno == EINTR);
  if (received < 0) {
    if (errno == EAGAIN) return result_int(env, 0);
    return cpn_throw_errno(env, errno, "recvmmsg", NULL);
  }
  for (int i = 0; i < received; i++) {
    lengths[i] = messages[i].msg_len;
    if (control) control_lengths[i] = messages[i].msg_hdr.msg_controllen;
    /* No sender: leave no address of an earlier batch there. */
    if (names && messages[i].msg_hdr.msg_namelen == 0) memset(names + i * name_stride, 0, name_stride);
  }
  return result_int(env, received);
}

/* Transmit timestamps and errors wait in a queue of their own (MSG_ERRQUEUE of recvmsg(2)); their packets are not asked for. */
static napi_value socket_recv_error(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  int fd;
  struct msghdr message = {0};
  unsigned char *control;
  if (!arguments_get(env, info, 2, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &control, &message.msg_controllen)) return NULL;
  message.msg_control = control;
  ssize_t received;
  do received = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
  while (received < 0 && errno == EINTR);
  if (received >= 0) return result_int(env, message.msg_controllen);
  return errno == EAGAIN ? result_int(env, -1) : cpn_throw_errno(env, errno, "recvmsg", NULL);
}

static napi_value socket_send_batch(napi_env env, napi_callback_info info) {
  napi_value argv[5];
  int fd, count;
  unsigned char *arena;
  int32_t *offsets, *lengths;
  size_t arena_size, offset_count, length_count;
  if (!arguments_get(env, info, 5, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[1], &arena, &arena_size) ||
      !argument_int32s(env, argv[2], &offsets, &offset_count) || !argument_int32s(env, argv[3], &lengths, &length_count) ||
      !argument_int(env, argv[4], &count))
    return NULL;
  if (!argument_spans(env, arena_size, offsets, offset_count, lengths, length_count, count)) return NULL;

  struct mmsghdr messages[MAX_BATCH];
  struct iovec vectors[MAX_BATCH];
  int done = 0;
  while (done < count) {
    int chunk = count - done < MAX_BATCH ? count - done : MAX_BATCH;
    for (int i = 0; i < chunk; i++) {
      vectors[i] = (struct iovec){.iov_base = arena + offsets[done + i], .iov_len = lengths[done + i]};
      messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int sent = sendmmsg(fd, messages, chunk, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      /* An error after some were sent shows again at the next call, which starts with the datagram that failed. */
      if (errno == EAGAIN || done > 0) break;
      return cpn_throw_errno(env, errno, "sendmmsg", NULL);
    }
    done += sent;
    if (sent < chunk) break;
  }
  return result_int(env, done);
}

static napi_value descriptor_ioctl(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  int fd;
  uint32_t request;
  unsigned char *argument;
  size_t length;
  if (!arguments_get(env, info, 3, argv, NULL) || !argument_int(env, argv[0], &fd) || !cpn_bytes(env, argv[2], &argument, &length)) return NULL;
  if (napi_get_value_uint32(env, argv[1], &request) != napi_ok) {
    napi_throw_type_error(env, NULL, "expected an integer");
    return NULL;
  }
  int result = ioctl(fd, request, argument);
  if (result < 0) {
    int error = errno;
    char detail[32];
    snprintf(detail, sizeof detail, "request 0x%x", request);
    return cpn_throw_errno(env, error, "ioctl", detail);
  }
  return result_int(env, result);
}

static napi_value interface_index(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  char name[IF_NAMESIZE];
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_text(env, argv[0], name, sizeof name)) return NULL;
  unsigned int index = if_nametoindex(name);
  return index ? result_int(env, index) : cpn_throw_errno(env, errno, "if_nametoindex", name);
}

static napi_value interface_name(napi_env env, napi_callback_info info) {
  napi_value argv[1], result;
  int index;
  char name[IF_NAMESIZE];
  if (!arguments_get(env, info, 1, argv, NULL) || !argument_int(env, argv[0], &index)) return NULL;
  if (!if_indextoname(index, name)) {
    int error = errno;
    char detail[24];
    snprintf(detail, sizeof detail, "%d", index);
    return cpn_throw_errno(env, error, "if_indextoname", detail);
  }
  CPN_CALL(env, napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &result));
  return result;
}

void cpn_register_socket(napi_env env, napi_value exports) {
  cpn_export(env, exports, "socket", socket_create);
  cpn_export(env, exports, "bind", socket_bind);
  cpn_export(env, exports, "connect", socket_connect);
  cpn_export(env, exports, "listen", socket_listen);
  cpn_export(env, exports, "accept", socket_accept);
  cpn_export(env, exports, "getsockname", socket_getsockname);
  cpn_export(env, exports, "close", descriptor_close);
  cpn_export(env, exports, "setsockopt", socket_setsockopt);
  cpn_export(env, exports, "getsockopt", socket_getsockopt);
  cpn_export(env, exports, "sendmsg", socket_sendmsg);
  cpn_export(env, exports, "recvBatch", socket_recv_batch);
  cpn_export(env, exports, "recvError", socket_recv_error);
  cpn_export(env, exports, "sendBatch", socket_send_batch);
  cpn_export(env, exports, "ioctl", descriptor_ioctl);
  cpn_export(env, exports, "ifNameToIndex", interface_index);
  cpn_export(env, exports, "ifIndexToName", interface_name);
}
