import type { Sensors } from './sensors.js';

/** Tokens per second over the last observations. */
export class RateMeter {
  // Enough answers to even out, few enough to follow a change of clocks within a minute of use.
  private static readonly WINDOW = 32;
  private readonly observations: { tokens: number; seconds: number }[] = [];

  add(tokens: number, seconds: number): void {
    if (tokens > 0 && seconds > 0) {
      this.observations.push({ tokens, seconds });
      if (this.observations.length > RateMeter.WINDOW) {
        this.observations.shift();
      }
    }
  }

  clear(): void {
    this.observations.length = 0;
  }

  /** 0 before the first observation. */
  get tokensPerSecond(): number {
    const tokens = this.observations.reduce((sum, observation) => sum + observation.tokens, 0);
    const seconds = this.observations.reduce((sum, observation) => sum + observation.seconds, 0);
    return seconds === 0 ? 0 : tokens / seconds;
  }
}

/** One answer's part of the energy. */
export interface EnergyShare {
  joules: number;
}

/** Samples power while answers are computed, and shares its energy evenly among them. */
export class EnergyMeter {
  // An INA3221 averages over some milliseconds; half a second would miss short answers.
  private static readonly PERIOD_MILLIS = 100;
  private readonly shares = new Set<EnergyShare>();
  private watts: number | null = null;
  private since = 0;
  private timer: NodeJS.Timeout | null = null;

  /** @param measured whether the sensors gave power at the start; if not, nothing is sampled */
  constructor(
    private readonly sensors: Sensors,
    private readonly measured: boolean,
  ) {}

  /** An answer's computation begins; null where power is not measured. */
  async begin(): Promise<EnergyShare | null> {
    if (!this.measured) {
      return null;
    }
    await this.sample();
    const share = { joules: 0 };
    this.shares.add(share);
    this.timer ??= setInterval(() => void this.sample(), EnergyMeter.PERIOD_MILLIS).unref();
    return share;
  }

  /** An answer's computation ended: joules it took. */
  async end(share: EnergyShare | null): Promise<number | null> {
    if (share === null) {
      return null;
    }
    await this.sample();
    this.shares.delete(share);
    if (this.shares.size === 0 && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
    }
    return share.joules;
  }

  private async sample(): Promise<void> {
    const watts = (await this.sensors.watts()) ?? this.watts;
    const now = performance.now();
    if (this.watts !== null && watts !== null) {
      const joules = ((this.watts + watts) / 2) * ((now - this.since) / 1000);
      for (const share of this.shares) {
        share.joules += joules / this.shares.size;
      }
    }
    this.watts = watts;
    this.since = now;
  }
}
