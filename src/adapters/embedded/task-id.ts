const ROWID = /^[1-9]\d{0,14}$/;

/** Ids of tasks as people see them: the store's prefix and the row, `k3f9-1042`. */
export interface TaskIds {
  format(row: number): string;
  /** Undefined for what is no id of this store: another store's is not taken for one of ours. */
  parse(id: string): number | undefined;
}

export function taskIds(prefix: string): TaskIds {
  const start = `${prefix}-`;
  return {
    format: (row) => `${start}${String(row)}`,
    parse: (id) => {
      if (!id.startsWith(start)) return undefined;
      const digits = id.slice(start.length);
      return ROWID.test(digits) ? Number(digits) : undefined;
    },
  };
}
