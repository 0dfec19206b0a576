/** Profiles of ours as kube-scheduler's configuration, and what it needs to be asked one pod at a time. */
import type { NodeSelectorTerm } from '../../src/scheduler/model/node-selector.ts';
import type { SpreadConstraint } from '../../src/scheduler/model/pod-object.ts';
import type { SchedulerProfile } from '../../src/scheduler/model/scheduler-profile.ts';

export function configurationOf(kubeconfig: string, profiles: readonly SchedulerProfile[]): object {
  return {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    parallelism: 1,
    percentageOfNodesToScore: 100,
    leaderElection: { leaderElect: false },
    clientConnection: { kubeconfig, qps: 10_000, burst: 20_000 },
    profiles: profiles.map(profileOf),
  };
}

function profileOf(profile: SchedulerProfile): object {
  const { fit, balancedResources, spread, affinity, nodeAffinity, preemption } = profile;
  const isRatio = fit.strategy === 'RequestedToCapacityRatio';
  return {
    schedulerName: profile.schedulerName,
    plugins: {
      multiPoint: {
        enabled: profile.scores.map(({ name, weight }) => ({ name, weight })),
        disabled: profile.preempts ? [] : [{ name: 'DefaultPreemption' }],
      },
    },
    pluginConfig: [
      args('NodeResourcesFit', {
        ignoredResources: fit.ignoredResources,
        ignoredResourceGroups: fit.ignoredResourceGroups,
        scoringStrategy: {
          type: fit.strategy,
          resources: fit.resources,
          ...(isRatio ? { requestedToCapacityRatio: { shape: fit.shape } } : {}),
        },
      }),
      args('NodeResourcesBalancedAllocation', { resources: balancedResources }),
      args('PodTopologySpread', {
        defaultingType: spread.defaulting,
        defaultConstraints: spread.defaults.map(constraintOf),
      }),
      args('InterPodAffinity', { ...affinity }),
      args('DefaultPreemption', { ...preemption }),
      args('NodeAffinity', {
        addedAffinity: {
          ...(nodeAffinity.addedRequired === undefined
            ? {}
            : {
                requiredDuringSchedulingIgnoredDuringExecution: {
                  nodeSelectorTerms: nodeAffinity.addedRequired.terms.map(termOf),
                },
              }),
          preferredDuringSchedulingIgnoredDuringExecution: nodeAffinity.addedPreferred.map(({ weight, term }) => ({
            weight,
            preference: termOf(term),
          })),
        },
      }),
    ],
  };
}

function args(name: string, fields: object): object {
  const typeMeta = { apiVersion: 'kubescheduler.config.k8s.io/v1', kind: `${name}Args` };
  return { name, args: { ...typeMeta, ...fields } };
}

function termOf({ expressions }: NodeSelectorTerm): object {
  return { matchExpressions: expressions.map(({ key, operator, values }) => ({ key, operator, values })) };
}

function constraintOf({ maxSkew, topologyKey, isHard }: SpreadConstraint): object {
  return { maxSkew, topologyKey, whenUnsatisfiable: isHard ? 'DoNotSchedule' : 'ScheduleAnyway' };
}
