/**
 * Where a worker can die between two facts: before and after each call that a turn makes to the world,
 * the first time, the second time and so on. All crash points are made of these names.
 */
export const SIDES = ['before', 'after'];
export const PORTS = [
  'claim',
  'model.call',
  'tools.run',
  'tools.reconcile',
  'lease.advance',
  'lease.release',
];

/** Such as `before lease.advance 3`. */
export function boundaryOf(side, port, occurrence) {
  return `${side} ${port} ${occurrence}`;
}

/** A line of output by which a worker says that a turn passes a boundary, or that it dies there. */
export const BOUNDARY_LINE = /^\[(?<what>boundary|crash)\] (?<turnId>\S+) (?<attempt>\d+) (?<boundary>.+)$/;
