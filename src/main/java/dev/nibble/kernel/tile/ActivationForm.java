package dev.nibble.kernel.tile;

/** What kernels of a layout read of their inputs. */
public enum ActivationForm {
  /** The floats themselves. */
  FLOATS,
  /** Rounded to int8, with a scale for every 32. */
  INT8
}
