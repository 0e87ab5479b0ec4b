import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

// Rails that carry all that a Jetson's module draws: Orin Nano/NX and Xavier NX, TX2, and the first Nano.
const TOTAL_RAILS = ['VDD_IN', 'VIN', 'POM_5V_IN'];
// AGX Orin has no such rail, so its rails are summed, without this one: it is drawn from VIN_SYS_5V0, which is counted.
const CONTAINED_RAILS = ['VDDQ_VDD2_1V8AO'];
// Rails of an INA3221, with current and voltage; a fourth current is a sum of shunts.
const CHANNELS = [1, 2, 3];
// A zone whose block is powered down tells -256 °C, or can't be read.
const LEAST_CELSIUS = -100;
const MILLI = 1e-3;

interface Rail {
  readonly label: string;
  readonly voltage: string;
  readonly current: string;
}

/**
 * Power from INA3221 monitors (`class/hwmon/*` named `ina3221`, as JetPack 5 and later have them) and temperature from thermal zones.
 * What is not there reads as null.
 */
export class Sensors {
  private constructor(
    private readonly rails: readonly Rail[],
    private readonly zone: string | null,
  ) {}

  /** Looks for monitors and zones under a sysfs. */
  static async find(sysfs: string): Promise<Sensors> {
    const rails: Rail[] = [];
    for (const monitor of await directories(join(sysfs, 'class/hwmon'))) {
      if ((await read(join(monitor, 'name'))) !== 'ina3221') {
        continue;
      }
      for (const channel of CHANNELS) {
        const label = await read(join(monitor, `in${channel}_label`));
        if (label !== null && label !== 'NC') {
          rails.push({ label, voltage: join(monitor, `in${channel}_input`), current: join(monitor, `curr${channel}_input`) });
        }
      }
    }
    const total = TOTAL_RAILS.map((name) => rails.find((rail) => rail.label === name)).find((rail) => rail !== undefined);
    const counted = total === undefined ? rails.filter((rail) => !CONTAINED_RAILS.includes(rail.label)) : [total];
    return new Sensors(counted, await findZone(sysfs));
  }

  /** Names of the rails whose power is summed. */
  get railNames(): readonly string[] {
    return this.rails.map((rail) => rail.label);
  }

  /** Watts drawn now, or null where a rail can't be read: a part of the sum would mislead. */
  async watts(): Promise<number | null> {
    if (this.rails.length === 0) {
      return null;
    }
    let watts = 0;
    for (const rail of this.rails) {
      const millivolts = number(await read(rail.voltage));
      const milliamperes = number(await read(rail.current));
      if (millivolts === null || milliamperes === null) {
        return null;
      }
      watts += millivolts * MILLI * (milliamperes * MILLI);
    }
    return watts;
  }

  /** Degrees Celsius of the GPU now, else of the processor. */
  async celsius(): Promise<number | null> {
    return this.zone === null ? null : celsius(this.zone);
  }
}

async function findZone(sysfs: string): Promise<string | null> {
  let processor: string | null = null;
  for (const zone of await directories(join(sysfs, 'class/thermal'))) {
    // gpu-thermal, GPU-therm; cpu-thermal, CPU-therm, x86_pkg_temp.
    const type = ((await read(join(zone, 'type'))) ?? '').toLowerCase();
    if ((await celsius(zone)) === null) {
      continue;
    }
    if (type.startsWith('gpu')) {
      return zone;
    }
    if (processor === null && (type.startsWith('cpu') || type === 'x86_pkg_temp')) {
      processor = zone;
    }
  }
  return processor;
}

async function celsius(zone: string): Promise<number | null> {
  const thousandths = number(await read(join(zone, 'temp')));
  return thousandths === null || thousandths * MILLI < LEAST_CELSIUS ? null : thousandths * MILLI;
}

async function directories(parent: string): Promise<string[]> {
  try {
    return (await readdir(parent)).sort().map((name) => join(parent, name));
  } catch {
    return [];
  }
}

async function read(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    return null;
  }
}

function number(text: string | null): number | null {
  return text !== null && /^-?\d+$/.test(text) ? Number(text) : null;
}
