import { tmpdir } from "node:os";
import { startGuardian } from "./guardian.ts";

/** A temporary directory that ends with this process, whichever way that ends. */
export interface TemporaryDirectory {
  readonly path: string;
  /** Resolves when it and everything in it is gone. Never rejects; may be called again. */
  remove(): Promise<void>;
}

/** Makes an empty directory, mode 0700, under `os.tmpdir()`. Does not keep the process alive. */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const guardian = await startGuardian(tmpdir(), undefined);
  guardian.ref(false);
  return {
    path: guardian.directory,
    remove: () => {
      guardian.ref(true);
      guardian.release();
      return guardian.gone;
    },
  };
}
