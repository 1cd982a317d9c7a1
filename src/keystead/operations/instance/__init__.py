"""Operations on the instance itself: engines, examinations, backups, exports, rotation."""
