import * as sdk from '@a2a-js/sdk';
import { expect, test } from '@jest/globals';
import { FIELD_ROWS, METHOD_ROWS } from './conformance.ts';
import { METHODS } from './methods.ts';
import { restRoutes } from './rest.ts';

/** The fields of an object, as the official SDK has them. */
const FIELDS: Record<string, () => object> = {
  SendMessageRequest: () => sdk.SendMessageRequest.fromJSON({}),
  SendMessageConfiguration: () => sdk.SendMessageConfiguration.fromJSON({}),
  Message: () => sdk.Message.fromJSON({}),
  Part: () => sdk.Part.fromJSON({}),
  Task: () => sdk.Task.fromJSON({}),
  TaskStatus: () => sdk.TaskStatus.fromJSON({}),
  Artifact: () => sdk.Artifact.fromJSON({}),
  TaskStatusUpdateEvent: () => sdk.TaskStatusUpdateEvent.fromJSON({}),
  TaskArtifactUpdateEvent: () => sdk.TaskArtifactUpdateEvent.fromJSON({}),
  GetTaskRequest: () => sdk.GetTaskRequest.fromJSON({}),
  ListTasksRequest: () => sdk.ListTasksRequest.fromJSON({}),
  ListTasksResponse: () => sdk.ListTasksResponse.fromJSON({}),
  CancelTaskRequest: () => sdk.CancelTaskRequest.fromJSON({}),
  SubscribeToTaskRequest: () => sdk.SubscribeToTaskRequest.fromJSON({}),
  TaskPushNotificationConfig: () => sdk.TaskPushNotificationConfig.fromJSON({}),
  AuthenticationInfo: () => sdk.AuthenticationInfo.fromJSON({}),
  GetTaskPushNotificationConfigRequest: () => sdk.GetTaskPushNotificationConfigRequest.fromJSON({}),
  ListTaskPushNotificationConfigsRequest: () => sdk.ListTaskPushNotificationConfigsRequest.fromJSON({}),
  DeleteTaskPushNotificationConfigRequest: () => sdk.DeleteTaskPushNotificationConfigRequest.fromJSON({}),
  GetExtendedAgentCardRequest: () => sdk.GetExtendedAgentCardRequest.fromJSON({}),
  AgentCard: () => sdk.AgentCard.fromJSON({}),
  AgentCapabilities: () => sdk.AgentCapabilities.fromJSON({}),
  AgentInterface: () => sdk.AgentInterface.fromJSON({}),
  AgentSkill: () => sdk.AgentSkill.fromJSON({}),
};

test('the table has every field of the protocol, and no other', () => {
  const fields = Object.entries(FIELDS).map(([name, make]) => [name, Object.keys(make()).toSorted()]);
  const rows = Object.entries(FIELD_ROWS).map(([name, row]) => [name, Object.keys(row).toSorted()]);
  expect(rows).toEqual(fields);
});

test('the table has every method, each is served by both bindings, and each request field is known or refused', () => {
  expect(Object.keys(METHOD_ROWS).toSorted()).toEqual(METHODS.map(({ name }) => name).toSorted());
  const served = restRoutes.map(({ method, path }) => {
    const plain = path.replace('/a2a/:agent_id', '').replaceAll('\\', '');
    return `${method.toUpperCase()} ${plain.replace(':turn_id', '{id}').replace(':config_id', '{configId}')}`;
  });
  const listed = Object.values(METHOD_ROWS).flatMap(({ path }) => {
    const [methods = '', where = ''] = path.split(' /');
    return methods.split(', ').map((method) => `${method} /${where}`);
  });
  expect(served.toSorted()).toEqual(listed.toSorted());
  for (const { name, params } of METHODS) {
    const request = { SendMessage: 'SendMessageRequest', SendStreamingMessage: 'SendMessageRequest' }[name];
    const object = request ?? (name.startsWith('Create') ? 'TaskPushNotificationConfig' : `${name}Request`);
    expect([name, Object.keys(params.shape).toSorted()]).toEqual([
      name,
      Object.keys(FIELD_ROWS[object] ?? {}).toSorted(),
    ]);
  }
});
