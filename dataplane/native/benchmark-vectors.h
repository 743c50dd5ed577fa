/*
 * The floating point kernels of benchmark.c for one width of vectors. Included once a width with VECTOR_OCTETS, VECTOR_TARGET (a function attribute)
 * and NAME(name) defined: what fits the registers of one instruction set spills with another, so each has code of its own.
 */
typedef float NAME(vector) __attribute__((vector_size(VECTOR_OCTETS)));

#define LANES (VECTOR_OCTETS / 4)

/*
 * Horner's scheme (one multiplication and one addition a coefficient) over the arguments of `state`, eight vectors at once: enough chains to fill two
 * pipelines of four cycles each.
 */
VECTOR_TARGET static double NAME(parallel)(struct benchmark_state *state) {
  for (int at = 0; at < ARGUMENTS; at += CHAINS * LANES) {
    NAME(vector) x[CHAINS], y[CHAINS];
#pragma GCC unroll 8
    for (int i = 0; i < CHAINS; i++) {
      memcpy(&x[i], state->arguments + at + i * LANES, VECTOR_OCTETS);
      y[i] = (NAME(vector)){0};
    }
    for (int term = 0; term < COEFFICIENTS; term++) {
      const NAME(vector) coefficient = (NAME(vector)){0} + state->coefficients[term];
#pragma GCC unroll 8
      for (int i = 0; i < CHAINS; i++) y[i] = y[i] * x[i] + coefficient;
    }
#pragma GCC unroll 8
    for (int i = 0; i < CHAINS; i++) memcpy(state->results + at + i * LANES, &y[i], VECTOR_OCTETS);
  }
  return 2.0 * ARGUMENTS * COEFFICIENTS;
}

/*
 * One panel of six rows of C = A B, both ORDER x ORDER: tiles of six rows by two vectors stay in registers while the inner dimension is gone through. B lies
 * in columns of two vectors each, so that it is read in order.
 */
VECTOR_TARGET static double NAME(neural)(struct benchmark_state *state) {
  const int first = state->row;
  state->row = (first + PANEL_ROWS) % ORDER;
  for (int column = 0; column < ORDER; column += 2 * LANES) {
    NAME(vector) sums[PANEL_ROWS][2];
#pragma GCC unroll 6
    for (int row = 0; row < PANEL_ROWS; row++) sums[row][0] = sums[row][1] = (NAME(vector)){0};
    const float *packed = state->right + column * ORDER;
    for (int inner = 0; inner < ORDER; inner++) {
      NAME(vector) left, right;
      memcpy(&left, packed + inner * 2 * LANES, VECTOR_OCTETS);
      memcpy(&right, packed + inner * 2 * LANES + LANES, VECTOR_OCTETS);
#pragma GCC unroll 6
      for (int row = 0; row < PANEL_ROWS; row++) {
        const NAME(vector) factor = (NAME(vector)){0} + state->left[(first + row) * ORDER + inner];
        sums[row][0] += factor * left;
        sums[row][1] += factor * right;
      }
    }
#pragma GCC unroll 6
    for (int row = 0; row < PANEL_ROWS; row++) memcpy(state->product + (first + row) * ORDER + column, sums[row], 2 * VECTOR_OCTETS);
  }
  return 2.0 * PANEL_ROWS * ORDER * ORDER;
}

/* B in the order that NAME(neural) reads it. */
static void NAME(pack)(struct benchmark_state *state, const float *matrix) {
  float *packed = state->right;
  for (int column = 0; column < ORDER; column += 2 * LANES)
    for (int inner = 0; inner < ORDER; inner++)
      for (int lane = 0; lane < 2 * LANES; lane++) *packed++ = matrix[inner * ORDER + column + lane];
}

#undef LANES
#undef VECTOR_OCTETS
#undef VECTOR_TARGET
#undef NAME
