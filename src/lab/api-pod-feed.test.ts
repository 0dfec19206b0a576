import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fakeApi, listOf, objectNamed } from '../kube-api/http-fixture.ts';
import { SimulatedClock } from '../testing/clock.ts';
import { ApiPodFeed } from './api-pod-feed.ts';

it('a list of pods through the API server that is under way is not begun anew', async () => {
  const clock = new SimulatedClock();
  let lists = 0;
  const { api } = fakeApi(clock, ({ path }) => {
    if (!path.includes('watch=')) lists++;
    return { body: listOf(1, [objectNamed('web', 1)]) };
  });
  const heard: string[] = [];
  const feed = new ApiPodFeed(api, new Map());
  feed.start({
    onPod: ({ name }) => heard.push(name) > 0,
    onGone: (key) => heard.push(`-${key}`),
    onListBegins: () => heard.push('begins'),
    onListEnds: () => heard.push('ends'),
    onProblem: () => {},
  });
  feed.listAnew();
  await clock.pass(100);
  assert.deepEqual([lists, heard.splice(0)], [1, ['begins', 'web', 'ends']]);
  feed.listAnew();
  await clock.pass(100);
  feed.close();
  await api.close();
  assert.deepEqual([lists, heard], [2, ['begins', 'web', 'ends']]);
});
