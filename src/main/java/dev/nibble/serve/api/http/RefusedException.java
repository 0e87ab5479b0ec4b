package dev.nibble.serve.api.http;

/** A request that is refused for another reason than engines know. */
public final class RefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient ApiError error;

  public RefusedException(ApiError error) {
    super(error.message(), null, false, false);
    this.error = error;
  }

  public ApiError error() {
    return error;
  }
}
