import { startWorker } from '@turnpike/worker';
import { chargeCard } from './charge-card.ts';
import { exportOrders } from './export-orders.ts';
import { refundOrder } from './refund-order.ts';
import { sendEmail } from './send-email.ts';
import { writeTicket } from './write-ticket.ts';

await startWorker({ tools: [chargeCard, exportOrders, refundOrder, sendEmail, writeTicket] });
