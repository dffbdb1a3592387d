// What was seen on the page, for the program that asserts it.

/** One series, one value, or one cell, as a reader sees it. */
export interface Seen {
  name: string;
  /** The newest value with its unit. */
  text: string;
}

export interface Panel {
  type: string;
  seen: Seen[];
}

interface Witness {
  panels: Record<string, Panel>;
  variables: Record<string, string[]>;
  errors: string[];
}

declare global {
  interface Window {
    witness: Witness;
  }
}

export const witness: Witness = { panels: {}, variables: {}, errors: [] };
window.witness = witness;
window.addEventListener('error', (event) => witness.errors.push(String(event.message)));
window.addEventListener('unhandledrejection', (event) => witness.errors.push(String(event.reason)));
