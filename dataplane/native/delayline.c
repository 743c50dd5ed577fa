/*
 * The user-space delay line: carries Ethernet frames from one interface to another with delay, jitter, loss and rate, for kernels
 * without netem. One thread serves all lines of the process. It asks for real-time priority, because a millisecond of accuracy
 * cannot wait for the scheduler to be fair; without the permission it runs at the ordinary one and says so.
 *
 * A frame's time counts from when the kernel received it (SO_TIMESTAMPNS), so that a late wake-up does not lengthen its delay.
 * Frames of a line stay in order, whatever jitter or a change of the delay says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"

enum {
  MAX_LINES = 4096,
  BATCH = 64,
  FRAME_SPACE = 65536 + 64,
  VLAN_TAG = 4,
  /* Frames one line may hold, whatever its delay: at 1500 octets some 200 MB. */
  MAX_HELD = 1 << 17,
  BATCHES_PER_TURN = 8,
};

struct frame {
  int64_t release;  /* when it leaves, CLOCK_MONOTONIC ns */
  int64_t sent_end; /* when its last bit was serialised */
  uint32_t length;
  unsigned char data[];
};

struct line {
  int in, out;
  int64_t delay, jitter; /* ns */
  uint64_t loss;         /* of 2^32 */
  double ns_per_octet;   /* 0: no rate limit */
  uint32_t queue_limit;  /* frames that wait for serialisation */
  int64_t line_free;     /* when the serialiser is free again */
  int64_t last_release;

  struct frame **ring; /* power of two */
  uint32_t capacity;
  uint32_t head, tail;  /* free-running */
  uint32_t serialising; /* first frame whose last bit is not out yet */

  uint64_t forwarded, lost, overflowed, failed;
  int64_t latest; /* worst lateness of a departure since the last change, ns */
};

static struct line *lines[MAX_LINES];
static int line_count; /* one past the highest number ever used */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int epoll_fd = -1, wake_fd = -1, timer_fd = -1;
static bool realtime;
static uint64_t random_state;

static unsigned char arena[BATCH][FRAME_SPACE];
static unsigned char control_space[BATCH][256];

static int64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64*: loss and jitter need speed and no secrets. */
static uint32_t random_u32(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)((random_state * 0x2545f4914f6cdd1dULL) >> 32);
}

static bool line_grow(struct line *line) {
  uint32_t capacity = line->capacity ? line->capacity * 2 : 256;
  struct frame **ring = malloc(capacity * sizeof *ring);
  if (!ring) return false;
  for (uint32_t i = line->head; i != line->tail; i++) ring[i & (capacity - 1)] = line->ring[i & (line->capacity - 1)];
  free(line->ring);
  line->ring = ring;
  line->capacity = capacity;
  return true;
}

static void line_accept(struct line *line, const unsigned char *data, uint32_t length, uint32_t tag, bool tagged, int64_t arrival) {
  if (line->loss && random_u32() < line->loss) {
    line->lost++;
    return;
  }
  while (line->serialising != line->tail && line->ring[line->serialising & (line->capacity - 1)]->sent_end <= arrival) line->serialising++;
  uint32_t held = line->tail - line->head;
  bool full = held >= MAX_HELD || (line->ns_per_octet > 0 && line->tail - line->serialising >= line->queue_limit);
  if (full || (held == line->capacity && !line_grow(line))) {
    line->overflowed++;
    return;
  }
  struct frame *frame = malloc(sizeof *frame + length + VLAN_TAG);
  if (!frame) {
    line->overflowed++;
    return;
  }
  /* The kernel takes a VLAN tag out of the frame on receipt; put it back behind the addresses. */
  if (tagged && length >= 12) {
    uint32_t network = htonl(tag);
    memcpy(frame->data, data, 12);
    memcpy(frame->data + 12, &network, VLAN_TAG);
    memcpy(frame->data + 12 + VLAN_TAG, data + 12, length - 12);
    frame->length = length + VLAN_TAG;
  } else {
    memcpy(frame->data, data, length);
    frame->length = length;
  }
  int64_t start = arrival > line->line_free ? arrival : line->line_free;
  frame->sent_end = start + (int64_t)(line->ns_per_octet * frame->length);
  line->line_free = frame->sent_end;
  int64_t release = frame->sent_end + line->delay;
  if (line->jitter) release += (int64_t)((double)random_u32() / 4294967295.0 * 2 * (double)line->jitter) - line->jitter;
  if (release < line->last_release) release = line->last_release;
  frame->release = line->last_release = release;
  line->ring[line->tail++ & (line->capacity - 1)] = frame;
}

/* A new rate applies to the frames that wait for it; what is on its way keeps its time. */
static void line_set_rate(struct line *line, double ns_per_octet, int64_t now) {
  if (ns_per_octet == line->ns_per_octet) return;
  line->ns_per_octet = ns_per_octet;
  while (line->serialising != line->tail && line->ring[line->serialising & (line->capacity - 1)]->sent_end <= now) line->serialising++;
  line->line_free = now;
  line->last_release = line->serialising == line->head ? now : line->ring[(line->serialising - 1) & (line->capacity - 1)]->release;
  for (uint32_t i = line->serialising; i != line->tail; i++) {
    struct frame *frame = line->ring[i & (line->capacity - 1)];
    frame->sent_end = line->line_free + (int64_t)(ns_per_octet * frame->length);
    line->line_free = frame->sent_end;
    frame->release = frame->sent_end + line->delay > line->last_release ? frame->sent_end + line->delay : line->last_release;
    line->last_release = frame->release;
  }
}

/* What the kernel says about a received frame: its arrival and its VLAN tag. */
static int64_t read_control(struct msghdr *message, int64_t now, int64_t wall_offset, uint32_t *tag, bool *tagged) {
  int64_t arrival = now;
  *tagged = false;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec stamp;
      memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
      arrival = (int64_t)stamp.tv_sec * 1000000000 + stamp.tv_nsec - wall_offset;
      /* A step of the wall clock must not throw frames into the future or the far past. */
      if (arrival > now || arrival < now - 50000000) arrival = now;
    } else if (part->cmsg_level == SOL_PACKET && part->cmsg_type == PACKET_AUXDATA) {
      struct tpacket_auxdata auxiliary;
      memcpy(&auxiliary, CMSG_DATA(part), sizeof auxiliary);
      if (auxiliary.tp_status & TP_STATUS_VLAN_VALID) {
        uint32_t type = auxiliary.tp_status & TP_STATUS_VLAN_TPID_VALID ? auxiliary.tp_vlan_tpid : ETH_P_8021Q;
        *tag = type << 16 | auxiliary.tp_vlan_tci;
        *tagged = true;
      }
    }
  }
  return arrival;
}

static void line_receive(struct line *line) {
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  for (int turn = 0; turn < BATCHES_PER_TURN; turn++) {
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
      vectors[i] = (struct iovec){.iov_base = arena[i], .iov_len = FRAME_SPACE};
      messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1, .msg_control = control_space[i], .msg_controllen = sizeof control_space[i]};
    }
    int count = recvmmsg(line->in, messages, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) return;
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    int64_t wall_offset = clock_ns(CLOCK_REALTIME) - now;
    for (int i = 0; i < count; i++) {
      uint32_t tag = 0;
      bool tagged;
      int64_t arrival = read_control(&messages[i].msg_hdr, now, wall_offset, &tag, &tagged);
      line_accept(line, arena[i], messages[i].msg_len, tag, tagged, arrival);
    }
    if (count < BATCH) return;
  }
}

/* Forgets `count` frames at the head. */
static void line_drop(struct line *line, uint32_t count) {
  for (; count > 0; count--) free(line->ring[line->head++ & (line->capacity - 1)]);
  if ((int32_t)(line->serialising - line->head) < 0) line->serialising = line->head;
}

/* Sends what is due; false when the kernel has no room now. */
static bool line_send(struct line *line, int64_t now) {
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  for (;;) {
    int count = 0;
    for (uint32_t i = line->head; i != line->tail && count < BATCH; i++) {
      struct frame *frame = line->ring[i & (line->capacity - 1)];
      if (frame->release > now) break;
      vectors[count] = (struct iovec){.iov_base = frame->data, .iov_len = frame->length};
      messages[count] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[count], .msg_iovlen = 1}};
      count++;
    }
    if (count == 0) return true;
    int64_t late = now - line->ring[line->head & (line->capacity - 1)]->release;
    int sent = sendmmsg(line->out, messages, (unsigned)count, MSG_DONTWAIT);
    if (sent > 0) {
      if (late > line->latest) line->latest = late;
      line->forwarded += (uint64_t)sent;
      line_drop(line, (uint32_t)sent);
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      return false;
    } else {
      /* The interface is down, or the frame is larger than its MTU: as on a wire, the frame is gone. */
      line->failed++;
      line_drop(line, 1);
    }
    now = clock_ns(CLOCK_MONOTONIC);
  }
}

static void *delay_line_thread(void *unused) {
  (void)unused;
  struct epoll_event events[BATCH];
  int64_t armed = 0;
  for (;;) {
    int count = epoll_wait(epoll_fd, events, BATCH, -1);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++) {
      uint64_t ignored;
      if (events[i].data.u32 == MAX_LINES) {
        if (read(wake_fd, &ignored, sizeof ignored) < 0 && errno != EAGAIN) abort();
      } else if (events[i].data.u32 == MAX_LINES + 1) {
        if (read(timer_fd, &ignored, sizeof ignored) < 0 && errno != EAGAIN) abort();
        armed = 0;
      } else if (lines[events[i].data.u32]) {
        line_receive(lines[events[i].data.u32]);
      }
    }
    int64_t next = INT64_MAX;
    for (int i = 0; i < line_count; i++) {
      struct line *line = lines[i];
      if (!line || line->head == line->tail) continue;
      int64_t now = clock_ns(CLOCK_MONOTONIC);
      int64_t due = line_send(line, now) ? INT64_MAX : now + 100000;
      if (due == INT64_MAX && line->head != line->tail) due = line->ring[line->head & (line->capacity - 1)]->release;
      if (due < next) next = due;
    }
    if (next != INT64_MAX && next != armed) {
      struct itimerspec deadline = {.it_value = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000}};
      timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &deadline, NULL);
      armed = next;
    }
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static int watch(int fd, uint32_t number) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
  return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int thread_start(void) {
  if (epoll_fd >= 0) return 0;
  if (getrandom(&random_state, sizeof random_state, 0) != sizeof random_state || random_state == 0) random_state = 0x9e3779b97f4a7c15ULL;
  wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (wake_fd < 0 || timer_fd < 0 || epoll_fd < 0) return -errno;
  int error = watch(wake_fd, MAX_LINES);
  if (!error) error = watch(timer_fd, MAX_LINES + 1);
  if (error) return error;

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
  pthread_attr_setschedpolicy(&attributes, SCHED_RR);
  pthread_attr_setschedparam(&attributes, &(struct sched_param){.sched_priority = 1});
  pthread_t thread;
  error = pthread_create(&thread, &attributes, delay_line_thread, NULL);
  realtime = !error;
  if (error == EPERM) error = pthread_create(&thread, NULL, delay_line_thread, NULL);
  pthread_attr_destroy(&attributes);
  if (!error) pthread_detach(thread);
  return -error;
}

static void line_free(struct line *line) {
  line_drop(line, line->tail - line->head);
  if (line->in >= 0) close(line->in);
  if (line->out >= 0) close(line->out);
  free(line->ring);
  free(line);
}

static int packet_socket(int ifindex, int protocol) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1, space = 16 << 20;
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = ifindex};
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof space);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &space, sizeof space);
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) ||
      setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) || bind(fd, (struct sockaddr *)&address, sizeof address)) {
    int error = -errno;
    close(fd);
    return error;
  }
  return fd;
}

static int line_open(int number, int from, int to, struct line **result) {
  struct line *line = calloc(1, sizeof *line);
  if (!line) return -ENOMEM;
  line->out = packet_socket(to, 0);
  line->in = packet_socket(from, ETH_P_ALL);
  int error = line->in < 0 ? line->in : line->out < 0 ? line->out : watch(line->in, (uint32_t)number);
  if (error) {
    line_free(line);
    return error;
  }
  *result = line;
  return 0;
}

static bool line_number(napi_env env, napi_value value, int *number) {
  if (!argument_int(env, value, number)) return false;
  if (*number >= 0 && *number < MAX_LINES) return true;
  napi_throw_range_error(env, NULL, "no such delay line");
  return false;
}

/* delayLineSet(line, from, to, delayNs, jitterNs, loss, rateBps, queueFrames): makes the line or changes what it does. */
static napi_value delay_line_set(napi_env env, napi_callback_info info) {
  napi_value arguments[8];
  int number, from, to, queue;
  double delay, jitter, loss, rate;
  if (!arguments_get(env, info, 8, arguments, NULL) || !line_number(env, arguments[0], &number) || !argument_int(env, arguments[1], &from) ||
      !argument_int(env, arguments[2], &to) || !argument_int(env, arguments[7], &queue))
    return NULL;
  CPN_CALL(env, napi_get_value_double(env, arguments[3], &delay));
  CPN_CALL(env, napi_get_value_double(env, arguments[4], &jitter));
  CPN_CALL(env, napi_get_value_double(env, arguments[5], &loss));
  CPN_CALL(env, napi_get_value_double(env, arguments[6], &rate));

  int error = thread_start();
  if (error) return cpn_throw_errno(env, -error, "delay line thread", NULL);
  pthread_mutex_lock(&lock);
  struct line *line = lines[number];
  if (!line) error = line_open(number, from, to, &line);
  if (!error) {
    line->delay = (int64_t)delay;
    line->jitter = (int64_t)jitter;
    line->loss = (uint64_t)(loss * 4294967296.0);
    line_set_rate(line, rate > 0 ? 8e9 / rate : 0, clock_ns(CLOCK_MONOTONIC));
    line->queue_limit = (uint32_t)queue;
    line->latest = 0;
    lines[number] = line;
    if (number >= line_count) line_count = number + 1;
  }
  pthread_mutex_unlock(&lock);
  /* The thread's timer may be set for a time that was before. */
  uint64_t one = 1;
  if (write(wake_fd, &one, sizeof one) < 0 && errno != EAGAIN) return cpn_throw_errno(env, errno, "eventfd", NULL);
  return error ? cpn_throw_errno(env, -error, "packet socket", NULL) : NULL;
}

/* delayLineClear(line): ends the line; frames it still holds are gone. */
static napi_value delay_line_clear(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int number;
  if (!arguments_get(env, info, 1, arguments, NULL) || !line_number(env, arguments[0], &number)) return NULL;
  pthread_mutex_lock(&lock);
  struct line *line = lines[number];
  lines[number] = NULL;
  if (line) line_free(line);
  pthread_mutex_unlock(&lock);
  return NULL;
}

/* delayLineStatus(line): {held, forwarded, lost, overflowed, failed, latestNs, realtime}, or null when there is no such line. */
static napi_value delay_line_status(napi_env env, napi_callback_info info) {
  napi_value arguments[1], result, value;
  int number;
  if (!arguments_get(env, info, 1, arguments, NULL) || !line_number(env, arguments[0], &number)) return NULL;
  pthread_mutex_lock(&lock);
  struct line copy = {0};
  bool present = lines[number] != NULL;
  if (present) copy = *lines[number];
  pthread_mutex_unlock(&lock);
  if (!present) {
    CPN_CALL(env, napi_get_null(env, &result));
    return result;
  }
  const struct {
    const char *name;
    double value;
  } fields[] = {
      {"held", copy.tail - copy.head},       {"forwarded", (double)copy.forwarded}, {"lost", (double)copy.lost},
      {"overflowed", (double)copy.overflowed}, {"failed", (double)copy.failed},       {"latestNs", (double)copy.latest},
  };
  CPN_CALL(env, napi_create_object(env, &result));
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    CPN_CALL(env, napi_create_double(env, fields[i].value, &value));
    CPN_CALL(env, napi_set_named_property(env, result, fields[i].name, value));
  }
  CPN_CALL(env, napi_get_boolean(env, realtime, &value));
  CPN_CALL(env, napi_set_named_property(env, result, "realtime", value));
  return result;
}

void cpn_register_delay_line(napi_env env, napi_value exports) {
  cpn_export(env, exports, "delayLineSet", delay_line_set);
  cpn_export(env, exports, "delayLineClear", delay_line_clear);
  cpn_export(env, exports, "delayLineStatus", delay_line_status);
}
