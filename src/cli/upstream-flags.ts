// kube-scheduler's flags that `k1m schedule` takes so that a manifest need not be changed, and that have no effect here. Those that were
// given are told in the log.

import { type Command, Option } from 'commander';

const WITHOUT_EFFECT: readonly (readonly [string, string])[] = [
  ['-v, --v <level>', 'klog: --log-level is ours'],
  ['--vmodule <settings>', 'klog'],
  ['--logging-format <format>', 'logs are JSON'],
  ['--log-flush-frequency <time>', 'logs are not held back'],
  ['--log-json-info-buffer-size <n>', 'logs are not held back'],
  ['--log-json-split-stream [yes]', 'logs go to standard error'],
  ['--log-text-info-buffer-size <n>', 'logs are not held back'],
  ['--log-text-split-stream [yes]', 'logs go to standard error'],
  ['--kube-api-qps <n>', 'the API server says how much is too much'],
  ['--kube-api-burst <n>', 'the API server says how much is too much'],
  ['--kube-api-content-type <type>', 'the client chooses'],
  ['--profiling [yes]', 'there are no profiles over HTTP'],
  ['--contention-profiling [yes]', 'there are no profiles over HTTP'],
  ['--leader-elect-resource-lock <type>', 'it is a Lease'],
  ['--feature-gates <gates>', 'the gates are those of 1.36'],
  ['--emulated-version <versions>', 'the version is 1.36'],
  ['--min-compatibility-version <versions>', 'the version is 1.36'],
  ['--allow-metric-labels <labels>', 'metrics have the labels that they have'],
  ['--allow-metric-labels-manifest <file>', 'metrics have the labels that they have'],
  ['--disabled-metrics <names>', 'all are there'],
  ['--show-hidden-metrics-for-version <version>', 'none are hidden'],
  ['--disable-http2-serving [yes]', 'the port speaks HTTP/1.1'],
  ['--http2-max-streams-per-connection <n>', 'the port speaks HTTP/1.1'],
  ['--permit-address-sharing [yes]', 'the port is not shared'],
  ['--permit-port-sharing [yes]', 'the port is not shared'],
  ['--tls-curve-preferences <ids>', "OpenSSL's are used"],
  ['--tls-sni-cert-key <pair>', 'one certificate is served'],
  ['--authentication-token-webhook-cache-ttl <time>', 'answers are kept for 10 s'],
  ['--authentication-tolerate-lookup-failure [yes]', 'it is tolerated'],
  ['--authorization-webhook-cache-authorized-ttl <time>', 'answers are kept for 10 s'],
  ['--authorization-webhook-cache-unauthorized-ttl <time>', 'answers are kept for 10 s'],
  ['--requestheader-allowed-names <names>', 'there is no proxy to trust'],
  ['--requestheader-client-ca-file <file>', 'there is no proxy to trust'],
  ['--requestheader-extra-headers-prefix <names>', 'there is no proxy to trust'],
  ['--requestheader-group-headers <names>', 'there is no proxy to trust'],
  ['--requestheader-uid-headers <names>', 'there is no proxy to trust'],
  ['--requestheader-username-headers <names>', 'there is no proxy to trust'],
];

export function addUpstreamOptions(command: Command): Command {
  for (const [flags, help] of WITHOUT_EFFECT) {
    command.addOption(new Option(flags, `kube-scheduler's; no effect: ${help}`).hideHelp());
  }
  return command;
}

/** What was given and does nothing, to be logged. */
export function withoutEffect(command: Command): string[] {
  return WITHOUT_EFFECT.flatMap(([flags, help]) => {
    const option = new Option(flags);
    const isGiven = command.getOptionValueSource(option.attributeName()) === 'cli';
    return isGiven ? [`${option.long} has no effect: ${help}`] : [];
  });
}
