package dev.nibble.serve.api;

/** Why a call is not let in, apart from how it is told on a wire. The reason is the name in {@code google.rpc.ErrorInfo}. */
public enum AccessError {
  /** There is no key in the call. */
  API_KEY_MISSING,
  /** The key is none of those in the key file. */
  API_KEY_INVALID,
  /** The key's last day is over. */
  API_KEY_EXPIRED,
  /** The key is good, but not for what is asked. */
  API_KEY_SCOPE
}
