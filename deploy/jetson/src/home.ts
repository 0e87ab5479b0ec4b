import { homedir } from 'node:os';

// A container's user may have no home; node-llama-cpp asks for it when it is loaded, though nothing here is kept there. So this is imported first.
try {
  homedir();
} catch {
  process.env.HOME = '/';
}
