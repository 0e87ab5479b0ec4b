import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { EnergyMeter, RateMeter } from '../src/meters.js';
import { Sensors } from '../src/sensors.js';
import { pause, SYSFS } from './support.js';

test('a rail that carries everything is the power', async () => {
  const sensors = await Sensors.find(join(SYSFS, 'orin-nano'));
  assert.deepEqual(sensors.railNames, ['VDD_IN']);
  assert.ok(Math.abs((await sensors.watts())! - 4.984 * 1.112) < 1e-9);
  assert.ok(Math.abs((await sensors.celsius())! - 46.218) < 1e-9);
});

test('without such a rail all are summed, one that is drawn from another left out', async () => {
  const sensors = await Sensors.find(join(SYSFS, 'agx-orin'));
  assert.deepEqual(sensors.railNames, ['VDD_GPU_SOC', 'VDD_CPU_CV', 'VIN_SYS_5V0']);
  assert.ok(Math.abs((await sensors.watts())! - (19.08 * 0.208 + 19.08 * 0.04 + 5.04 * 0.808)) < 1e-9);
  // Its GPU is powered down, so its zone tells nothing.
  assert.ok(Math.abs((await sensors.celsius())! - 43) < 1e-9);
});

test('what is not there reads as null', async () => {
  const sensors = await Sensors.find(join(SYSFS, 'none'));
  assert.equal(await sensors.watts(), null);
  assert.equal(await sensors.celsius(), null);
  assert.equal(await new EnergyMeter(sensors, false).end(await new EnergyMeter(sensors, false).begin()), null);
});

test('energy is shared by answers computed side by side', async () => {
  const sensors = await Sensors.find(join(SYSFS, 'orin-nano'));
  const meter = new EnergyMeter(sensors, true);
  const began = performance.now();
  const [one, other] = [await meter.begin(), await meter.begin()];
  await pause(250);
  const joules = (await meter.end(one))! + (await meter.end(other))!;
  const watts = (await sensors.watts())!;
  const most = (watts * (performance.now() - began)) / 1000;
  assert.ok(joules > watts * 0.24 && joules <= most + 1e-9, `${joules} J of at most ${most} J`);
});

test('a rate is that of the last observations together', () => {
  const meter = new RateMeter();
  assert.equal(meter.tokensPerSecond, 0);
  meter.add(10, 1);
  meter.add(30, 1);
  assert.equal(meter.tokensPerSecond, 20);
  for (let i = 0; i < 40; i++) {
    meter.add(5, 1);
  }
  assert.equal(meter.tokensPerSecond, 5);
});
