//! What goes into a statement and what comes out of it: numbers, texts and nothing.

use super::StoreError;
use crate::clock::Micros;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `NULL`.
    Null,
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`.
    Text(String),
}

macro_rules! into_value {
    ($($from:ty => |$name:ident| $value:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($name: $from) -> Self {
                $value
            }
        })*
    };
}

into_value! {
    i64 => |number| Self::Int(number);
    u32 => |number| Self::Int(i64::from(number));
    bool => |truth| Self::Int(i64::from(truth));
    Micros => |instant| Self::Int(instant.0);
    &str => |text| Self::Text(text.to_owned());
    String => |text| Self::Text(text);
    &String => |text| Self::Text(text.clone());
}

impl<T> From<Option<T>> for Value
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    /// The number in the column, from 0.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.maybe_int(column)?.ok_or(StoreError::Column(column))
    }

    /// The number in the column, if there is one.
    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// The text in the column.
    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        self.maybe_text(column)?.ok_or(StoreError::Column(column))
    }

    /// The text in the column, if there is one.
    pub fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column(column)),
        }
    }

    /// The instant in the column.
    pub fn at(&self, column: usize) -> Result<Micros, StoreError> {
        self.int(column).map(Micros)
    }

    /// The instant in the column, if there is one.
    pub fn maybe_at(&self, column: usize) -> Result<Option<Micros>, StoreError> {
        Ok(self.maybe_int(column)?.map(Micros))
    }

    /// The truth in the column.
    pub fn is(&self, column: usize) -> Result<bool, StoreError> {
        self.int(column).map(|number| number != 0)
    }
}
