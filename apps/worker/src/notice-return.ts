import type { Model } from '@turnpike/agent';

/** The model of a turn that was parked since the model was away: `onReturn` is called once, as soon as it answers. */
export function noticeReturn(model: Model, onReturn: () => void): Model {
  let isNoticed = false;
  const notice = (): void => {
    if (!isNoticed) onReturn();
    isNoticed = true;
  };
  return {
    mostCost: (request) => model.mostCost(request),
    async call(request, options) {
      const onText = (text: string): void => {
        notice();
        options.onText(text);
      };
      const answer = await model.call(request, { ...options, onText });
      notice();
      return answer;
    },
  };
}
