/** What a licence allows. The one place that knows licences: everything else asks for a limit. */

export interface Entitlements {
  /** Most devices that may be registered at the same time. */
  readonly maxDevices: number;
}

/** What the licence key allows; every key, and none, allows everything for now. */
export function entitlementsOf(_licenceKey: string | null): Entitlements {
  return { maxDevices: Number.POSITIVE_INFINITY };
}
