#!/usr/bin/env node
import './home.js';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { authority, ConfigError, isLoopback, readConfig, usage, type Config } from './config.js';
import { readModelFile } from './gguf.js';
import { checkHealth } from './health.js';
import { LlamaEngine } from './llama.js';
import { log, said } from './log.js';
import { EnergyMeter } from './meters.js';
import { Sensors } from './sensors.js';
import { OffloadServer } from './server.js';
import { Accelerator } from './service.js';

// 1 is a failed device.
const BAD_CONFIG = 2;

async function serve(config: Config): Promise<void> {
  const accelerator = new Accelerator(config.queue);
  const server = new OffloadServer(accelerator);
  let stopping = false;
  const stop = async (code: number, graceMillis: number): Promise<void> => {
    if (stopping) {
      return;
    }
    stopping = true;
    server.serving(false);
    await accelerator.drain(graceMillis);
    await server.close();
    process.exit(code);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      log.info(`${signal}: finishing what there is, within ${config.graceSeconds} s`);
      void stop(0, config.graceSeconds * 1000);
    });
  }
  const dead = (reason: string): void => {
    log.error(`the device failed: ${reason}`);
    accelerator.fail(reason);
    void stop(1, 0);
  };

  const port = await server.listen(config);
  if (config.tls === null && !isLoopback(config.host)) {
    log.warn(`host ${config.host} is open to other machines without TLS; tls-cert, tls-key and tls-client-ca close it`);
  } else if (config.tls !== null && config.tls.clientAuthority === null) {
    log.warn('callers are not asked for a certificate; tls-client-ca names the authority that must have signed it');
  }
  const sensors = await Sensors.find(config.sysfs);
  const measured = (await sensors.watts()) !== null;
  const file = await readModelFile(config.model).catch((error: unknown) => {
    throw new ConfigError(`model ${config.model} can't be read: ${said(error)}`);
  });
  const engine = await LlamaEngine.load(config, file, sensors, dead);
  if (stopping) {
    return;
  }
  const device = await engine.device();
  log.info(`${engine.engine} on ${device.name}, model ${file.fileSha256.toString('hex')}, context ${engine.model.contextLength}, ` +
      `${engine.model.parallelSequences} side by side, power ${measured ? `from ${sensors.railNames.join(' + ')}` : 'not measured'}`);
  if (engine.degraded !== null) {
    log.warn(`DEGRADED: a GPU was expected, but ${engine.degraded}`);
  }
  accelerator.ready(engine, new EnergyMeter(sensors, measured));
  server.serving(true);
  process.stdout.write(`nibble-offload ready on ${authority(config.host, port)} instance ${accelerator.instanceId}\n`);
}

async function main(): Promise<void> {
  // What goes wrong is told by the errors; grpc-js would tell it once more.
  setLogVerbosity(logVerbosity.NONE);
  process.on('uncaughtException', (error) => {
    log.error(`a defect: ${said(error)} ${error.stack?.split('\n')[1] ?? ''}`);
    process.exit(1);
  });
  if (process.argv.includes('--help')) {
    process.stdout.write(usage());
    return;
  }
  const args = process.argv.slice(2);
  try {
    if (args[0] === 'health') {
      // The model is not looked at.
      const unhealthy = await checkHealth(readConfig(['--model', 'any', ...args.slice(1)], process.env));
      if (unhealthy !== null) {
        log.error(unhealthy);
        process.exit(1);
      }
      return;
    }
    await serve(readConfig(args, process.env));
  } catch (error) {
    log.error(said(error));
    // A defect is no bad setting.
    process.exit(error instanceof ConfigError ? BAD_CONFIG : 1);
  }
}

await main();
