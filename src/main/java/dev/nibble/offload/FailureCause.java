package dev.nibble.offload;

/** Why an accelerator did not finish an answer. */
public enum FailureCause {
  /** It was not there, or did not take the request in time. */
  UNREACHABLE,
  /** It refused the request. */
  REFUSED,
  /** The stream broke off. */
  DIED,
  /** It fell silent. */
  STALLED,
  /** It took the request and told of progress, but no token came for long. */
  SLOW,
  /** It answered what can't be. */
  NONSENSE
}
