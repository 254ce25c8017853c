export declare const SIDES: readonly string[];
export declare const PORTS: readonly string[];
export declare function boundaryOf(side: string, port: string, occurrence: number): string;
export declare const BOUNDARY_LINE: RegExp;
