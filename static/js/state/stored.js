/**
 * The JSON that is stored under a name; null if there is none, or if storage is blocked.
 *
 * @type {(storage: Storage, name: string) => any}
 */
export function readStored(storage, name) {
  try {
    return JSON.parse(storage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}
