package dev.nibble.offload;

/** How an accelerator is, as the gateway sees it. */
public enum AcceleratorState {
  /** Not looked at yet. */
  UNKNOWN,
  /** Takes requests. */
  READY,
  /** Takes requests, but its GPU is absent or not in use: used by {@code auto} alone, where it is faster even so. */
  DEGRADED,
  /** Loads its model, or stops. */
  NOT_SERVING,
  /** Serves other models, or speaks another protocol. */
  MISMATCHED,
  /** Its tokens are not those of the model. */
  WRONG_ANSWERS,
  /** Nothing answers there, or what does is not an accelerator. */
  UNREACHABLE,
  /** Failed in an answer, and is left alone for a while: the circuit breaker is open. */
  RESTING
}
