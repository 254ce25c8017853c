import type { ReactElement } from 'react';
import { Heading } from '../../parts/heading.tsx';
import { Deliveries } from './deliveries.tsx';
import { Endpoints } from './endpoints.tsx';

export default function WebhooksScreen(): ReactElement {
  return (
    <>
      <Heading title="Webhooks" />
      <Endpoints />
      <h2>Deliveries</h2>
      <Deliveries />
    </>
  );
}
