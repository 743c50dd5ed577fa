/*
 * Links of a lab whose two veth pairs meet in a wire namespace. A classifier of four instructions on each inner end hands frames straight to
 * the node at the other side (bpf_redirect_peer: no second backlog, segmentation offload survives).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "arguments.h"

static int redirect_attach(int from, int to, bool through_queue) {
  const struct bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = to},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0},
      {.code = BPF_JMP | BPF_CALL, .imm = through_queue ? BPF_FUNC_redirect : BPF_FUNC_redirect_peer},
      {.code = BPF_JMP | BPF_EXIT},
  };
  int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "cpn_wire", "GPL", program, sizeof program / sizeof *program, NULL);
  if (fd < 0) return fd;
  DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = from, .attach_point = BPF_TC_INGRESS);
  DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = fd, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE);
  int error = bpf_tc_hook_create(&hook);
  if (!error || error == -EEXIST) error = bpf_tc_attach(&hook, &options);
  close(fd);
  return error;
}

/*
 * wireRedirect(from, to, throughQueue): frames that arrive at ifindex `from` go to the namespace of `to`'s peer, straight or through the
 * queueing discipline of `to`.
 */
static napi_value wire_redirect(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int from, to;
  bool through_queue;
  if (!arguments_get(env, info, 3, arguments, NULL) || !argument_int(env, arguments[0], &from) || !argument_int(env, arguments[1], &to) ||
      !argument_bool(env, arguments[2], &through_queue))
    return NULL;
  int error = redirect_attach(from, to, through_queue);
  return error ? cpn_throw_errno(env, -error, "bpf", "redirecting a link needs bpf_redirect_peer (Linux 5.10)") : NULL;
}

/* wireRelease(from): frames that arrive at `from` are no longer redirected. */
static napi_value wire_release(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int from;
  if (!arguments_get(env, info, 1, arguments, NULL) || !argument_int(env, arguments[0], &from)) return NULL;
  DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = from, .attach_point = BPF_TC_INGRESS);
  DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .handle = 1, .priority = 1);
  int error = bpf_tc_detach(&hook, &options);
  return error && error != -ENOENT ? cpn_throw_errno(env, -error, "bpf_tc_detach", NULL) : NULL;
}

void cpn_register_wire(napi_env env, napi_value exports) {
  cpn_export(env, exports, "wireRedirect", wire_redirect);
  cpn_export(env, exports, "wireRelease", wire_release);
}
