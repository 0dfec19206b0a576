/**
 * A store and an API server on it, fresh, for scripts that ask no more of a cluster. What they start is the caller's `Children` to end.
 */
import type { Children } from '../lab/child.ts';
import { freePorts } from '../lab/free-port.ts';
import { type Subject, type SubjectName, startSubject } from '../lab/subject.ts';
import { ControlPlane, type SchedulerName } from './control-plane.ts';
import { type Credentials, makeCredentials, type User } from './credentials.ts';

export interface PlaneOptions {
  readonly children: Children;
  readonly folder: string;
  /** k1m, unless another is named. */
  readonly store?: SubjectName;
  /** Beside admin, who may do everything. */
  readonly users?: readonly User[];
  readonly scheduler?: SchedulerName;
  readonly apiServerArgs?: readonly string[];
}

export interface OpenPlane {
  readonly plane: ControlPlane;
  readonly subject: Subject;
  readonly credentials: Credentials;
  /** The API server's. */
  readonly port: number;
}

/** Resolves when the API server is ready. */
export async function openPlane({ store = 'k1m', users = [], ...options }: PlaneOptions): Promise<OpenPlane> {
  const { children, folder } = options;
  const credentials = makeCredentials(folder, [{ name: 'admin', group: 'system:masters' }, ...users]);
  const subject = await startSubject(store, children, folder);
  const [api = 0, controllers = 0, scheduler = 0] = await freePorts(3);
  const ports = { api, controllers, scheduler };
  const plane = new ControlPlane({ ...options, credentials, storeEndpoint: subject.endpoint, ports });
  try {
    await plane.startApiServer();
  } catch (error) {
    plane.client.close();
    throw error;
  }
  return { plane, subject, credentials, port: api };
}
