/** One call of etcdctl in the scenario. The cases run in order on one store, so later ones see what earlier ones wrote. */
export interface Case {
  /** Unique; the title in the output. */
  readonly name: string;
  /**
   * The command line after the endpoint. Replaced in it: `$NEXT` by the revision that the next write will have, `$NAME` by what
   * an earlier case captured under that name, `$FOLDER` by the scratch folder.
   */
  readonly args: readonly string[];
  readonly program?: 'etcdctl' | 'etcdutl';
  readonly stdin?: string;
  /** For commands that go on until they are ended: how many lines to wait for. */
  readonly endAfterLines?: number;
  /** Command lines run while this one goes on. */
  readonly meanwhile?: readonly (readonly string[])[];
  /** The name under which the first hexadecimal id of the output is kept. */
  readonly captureAs?: string;
  /** The environment's additions, such as ETCDCTL_USER. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Cases about one thing. */
export interface CaseGroup {
  readonly name: string;
  readonly cases: readonly Case[];
}
