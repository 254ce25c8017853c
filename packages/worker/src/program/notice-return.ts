import type { Model } from '@turnpike/agent';

/** The model of a turn that was parked for an outage. `onReturn` is called once, as soon as the model responds. */
export function noticeReturn(model: Model, onReturn: () => void): Model {
  let isNoticed = false;
  const notice = (): void => {
    if (!isNoticed) onReturn();
    isNoticed = true;
  };
  return {
    mostCost: (request) => model.mostCost(request),
    takeBatched: async (call) => (await model.takeBatched?.(call)) ?? null,
    countTokens: async (count) => (await model.countTokens?.(count)) ?? null,
    async call(call) {
      call.events.on('text', notice);
      const response = await model.call(call);
      notice();
      return response;
    },
  };
}
