/** Values of RowConditions masks. Size: bit (W << 1 | 66 present). */
export const ALL = 0xff;
export const SIZE_ALL = 0b1111;
export const SIZE_16 = 0b0010;
export const SIZE_32 = 0b0001;
export const SIZE_W0 = 0b0011;
export const SIZE_W1 = 0b1100;
export const SIZE_NOT_16 = 0b1101;
export const SIZE_NO_66 = 0b0101;
export const SIZE_66 = 0b1010;
