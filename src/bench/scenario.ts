// A load by its name, as flows of requests, watchers and occasional tasks. docs/bench.md says what each sends.

import * as methods from '../api/methods.ts';
import { ArrivalSchedule } from './arrival-schedule.ts';
import type { BenchOptions } from './bench-options.ts';
import { FixedLoad } from './fixed-load.ts';
import { Flow } from './flow.ts';
import { GetLoad } from './get-load.ts';
import { KeySet } from './key-set.ts';
import { ListLoad } from './list-load.ts';
import type { Load } from './load.ts';
import { mixedScenario } from './mixed-scenario.ts';
import { PutLoad } from './put-load.ts';
import { countRequest, keyPrefix, nodeLeases, type Scenario } from './scenario-parts.ts';
import { SeededChance } from './seeded-chance.ts';
import { UpdateLoad } from './update-load.ts';
import { WriteLog } from './write-log.ts';

/** `seconds`: the wall time that goes into objects. */
export function makeScenario(options: BenchOptions, seconds: number): Scenario {
  const chance = new SeededChance(options.seed);
  switch (options.load) {
    case 'put': {
      const keys = new KeySet(keyPrefix(options, 'put'), options.keys);
      return single(options, new PutLoad(keys, options.valueBytes, chance), keys);
    }
    case 'renew': {
      const { keys, value } = nodeLeases(options, options.keys, seconds);
      return single(options, new UpdateLoad(keys, value), keys);
    }
    case 'get': {
      const { keys, setup } = nodeLeases(options, options.keys, seconds);
      return single(options, new GetLoad(keys, setup, chance), keys);
    }
    case 'list': {
      const { keys, setup } = nodeLeases(options, options.keys, seconds);
      return single(options, new ListLoad(keys, setup, options.limit), keys);
    }
    case 'count': {
      const { keys, setup } = nodeLeases(options, options.keys, seconds);
      return single(options, new FixedLoad(methods.range.path, countRequest(keys.prefix), setup), keys);
    }
    case 'watch':
      return watchScenario(options, chance);
    case 'mixed':
      return mixedScenario(options, seconds, chance);
  }
}

function single(options: BenchOptions, load: Load, keys: KeySet): Scenario {
  const schedule = options.rate > 0 ? new ArrivalSchedule(options.rate) : undefined;
  return {
    flows: [{ flow: new Flow(options.load, load, schedule), inFlightPerConnection: options.inFlight }],
    watch: undefined,
    tasks: [],
    remove: (client) => keys.remove(client),
  };
}

function watchScenario(options: BenchOptions, chance: SeededChance): Scenario {
  const keys = new KeySet(keyPrefix(options, 'watch'), options.keys);
  const log = new WriteLog();
  const { watchers, connections } = options;
  return {
    ...single(options, new PutLoad(keys, options.valueBytes, chance, log), keys),
    watch: { prefixes: [keys.prefix], watchers, connections, progressEveryMs: 0, log },
  };
}
