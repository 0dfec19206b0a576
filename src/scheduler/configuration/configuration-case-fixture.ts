// A configuration and what kube-scheduler says of it, and how to write many of them.

export interface ConfigurationCase {
  readonly name: string;
  readonly text: string;
  /** What kube-scheduler says; undefined where it takes the file. */
  readonly error: string | undefined;
  /** The words are those of Go's parsers, which ours does not have. */
  readonly hasOtherWords?: true;
}

const HEADER = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';

export function good(name: string, body: string): ConfigurationCase {
  return { name, text: HEADER + body, error: undefined };
}

export function bad(name: string, body: string, error: string): ConfigurationCase {
  return { name, text: HEADER + body, error };
}

export function whole(name: string, text: string, error: string): ConfigurationCase {
  return { name, text, error };
}

/** One profile with these plugins, as YAML flow. */
export function plugins(flow: string): string {
  return `profiles:\n- plugins: ${flow}\n`;
}

/** One profile with these arguments of one plugin. */
export function args(plugin: string, flow: string): string {
  return `profiles:\n- pluginConfig:\n  - name: ${plugin}\n    args: ${flow}\n`;
}

export const CREATING: string = 'initializing profiles: creating profile for scheduler name default-scheduler: ';
export const SCHEME: string = 'in scheme "pkg/runtime/scheme.go:111"';
export const ARGS: string = 'profiles[0].pluginConfig[0].args';
export const NAME_CHARACTERS: string =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
export const SUBDOMAIN: string =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end " +
  "with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
  "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
export const JSON_STRUCT: string =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
