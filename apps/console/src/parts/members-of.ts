/** The members of a union, in this order. The compiler refuses an object that lacks one. */
export function membersOf<Member extends string>(all: Readonly<Record<Member, true>>): readonly Member[] {
  return Object.keys(all) as Member[];
}
