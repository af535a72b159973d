//! A kernel's parameters: how each is launched, passed to a GPU, and seen by a launch shape.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Error, FnArg, GenericArgument, Ident, Lifetime, Pat, PathArguments, PointerMutability, Result, Signature, Type,
};

use crate::attributes::source;

/// A parameter and what it is.
pub struct Parameter {
    pub name: Ident,
    pub mutable: bool,
    pub written: Type,
    pub kind: Kind,
}

/// The kinds of parameters, with the type of an element.
pub enum Kind {
    Slice(Type),
    DisjointMut(Type),
    ConstPointer(Type),
    MutPointer(Type),
    Scalar,
}

/// The parameters of a kernel's signature.
pub fn parse(signature: &Signature) -> Result<Vec<Parameter>> {
    signature.inputs.iter().map(Parameter::parse).collect()
}

impl Parameter {
    fn parse(input: &FnArg) -> Result<Self> {
        let FnArg::Typed(typed) = input else {
            return Err(Error::new(input.span(), "a kernel is a function, not a method"));
        };
        let Pat::Ident(pattern) = &*typed.pat else {
            return Err(Error::new(typed.pat.span(), "a kernel's parameter has a plain name"));
        };
        if pattern.ident == "block" {
            return Err(Error::new(pattern.span(), "in a launch shape `block` is the block; take another name"));
        }
        if let Some(lifetime) = named_lifetime(&typed.ty) {
            let message = "a kernel's arguments are borrowed for the launch alone; leave the lifetime out";
            return Err(Error::new(lifetime.span(), message));
        }
        Ok(Self {
            name: pattern.ident.clone(),
            mutable: pattern.mutability.is_some(),
            written: (*typed.ty).clone(),
            kind: Kind::of(&typed.ty)?,
        })
    }

    /// As it stands in the signature of a body.
    pub fn declaration(&self) -> TokenStream {
        let (name, written) = (&self.name, &self.written);
        let mutable = self.mutable.then(|| quote!(mut));
        quote!(#mutable #name: #written)
    }

    /// As it stands in the signature of `launch`.
    pub fn launch_declaration(&self) -> TokenStream {
        let (name, written) = (&self.name, &self.written);
        match &self.kind {
            Kind::Slice(element) | Kind::ConstPointer(element) => {
                quote!(#name: &'launch (impl ::cuda_std::launch::DeviceSlice<#element> + ?Sized))
            }
            Kind::DisjointMut(element) | Kind::MutPointer(element) => {
                quote!(#name: &'launch mut (impl ::cuda_std::launch::DeviceSliceMut<#element> + ?Sized))
            }
            Kind::Scalar => quote!(#name: #written),
        }
    }

    /// The value in `launch` that becomes the erased argument.
    pub fn erased(&self) -> TokenStream {
        let name = &self.name;
        match &self.kind {
            Kind::Slice(element) | Kind::DisjointMut(element) => {
                quote!(::cuda_std::launch::Arg::Slice(::cuda_std::launch::DeviceSlice::<#element>::region(#name)))
            }
            Kind::ConstPointer(element) | Kind::MutPointer(element) => {
                quote!(::cuda_std::launch::Arg::Pointer(::cuda_std::launch::DeviceSlice::<#element>::region(#name)))
            }
            Kind::Scalar => quote!(::cuda_std::launch::Arg::scalar(#name)),
        }
    }

    /// Reads the erased argument `args[index]`, on the processor, once for all threads that a stack runs.
    pub fn read(&self, index: usize) -> TokenStream {
        let (name, written) = (kept(index), &self.written);
        match &self.kind {
            Kind::Slice(element)
            | Kind::DisjointMut(element)
            | Kind::ConstPointer(element)
            | Kind::MutPointer(element) => {
                quote!(let #name = ::cuda_std::expansion::memory::<#element>(&args[#index]);)
            }
            Kind::Scalar => quote!(let #name = args[#index].to_scalar::<#written>();),
        }
    }

    /// The parameter's value for a thread, from what was read.
    pub fn restored(&self, index: usize) -> TokenStream {
        let name = kept(index);
        match &self.kind {
            Kind::Slice(_) => quote!(::core::slice::from_raw_parts(#name.0, #name.1)),
            Kind::DisjointMut(_) => quote!(::cuda_std::DisjointMut::from_raw_parts(#name.0, #name.1)),
            Kind::ConstPointer(_) => quote!(#name.0.cast_const()),
            Kind::MutPointer(_) => quote!(#name.0),
            Kind::Scalar => quote!(#name),
        }
    }

    /// The parameters of the PTX entry that carry it.
    pub fn device_declaration(&self) -> TokenStream {
        let (name, written) = (&self.name, &self.written);
        let len = self.device_len();
        match &self.kind {
            Kind::Slice(element) => quote!(#name: *const #element, #len: usize),
            Kind::DisjointMut(element) => quote!(#name: *mut #element, #len: usize),
            Kind::ConstPointer(_) | Kind::MutPointer(_) | Kind::Scalar => quote!(#name: #written),
        }
    }

    /// The parameter's value from those of the PTX entry.
    pub fn device_restored(&self) -> TokenStream {
        let name = &self.name;
        let len = self.device_len();
        match &self.kind {
            Kind::Slice(_) => quote!(::core::slice::from_raw_parts(#name, #len)),
            Kind::DisjointMut(_) => quote!(::cuda_std::DisjointMut::from_raw_parts(#name, #len)),
            Kind::ConstPointer(_) | Kind::MutPointer(_) | Kind::Scalar => quote!(#name),
        }
    }

    /// A name that no other parameter can have.
    fn device_len(&self) -> Ident {
        Ident::new(&format!("{}_len", self.name), Span::mixed_site())
    }

    /// What the parameter is in the formulas of a launch shape.
    pub fn in_formulas(&self, index: usize) -> TokenStream {
        let (name, written, args) = (&self.name, &self.written, erased_arguments());
        match &self.kind {
            Kind::Scalar if is_unsigned(written) => quote!(let #name = #args[#index].to_scalar::<#written>() as usize;),
            Kind::Scalar => quote!(let #name = #args[#index].to_scalar::<#written>();),
            _ => quote!(let #name = ::cuda_std::launch::Extent(#args[#index].to_region());),
        }
    }

    /// What the host is told of it.
    pub fn description(&self) -> TokenStream {
        let name = self.name.to_string();
        let type_name = source(&self.written);
        quote!(::cuda_std::launch::Parameter { name: #name, type_name: #type_name })
    }
}

impl Kind {
    fn of(written: &Type) -> Result<Self> {
        match written {
            Type::Reference(reference) => match (&*reference.elem, reference.mutability) {
                (Type::Slice(slice), None) => Ok(Self::Slice((*slice.elem).clone())),
                (Type::Slice(_), Some(_)) => Err(Error::new(
                    written.span(),
                    "threads cannot share a `&mut` slice; take `DisjointMut<T>`, or a `*mut T`",
                )),
                _ => Err(Error::new(written.span(), "a kernel takes slices, pointers, `DisjointMut` and numbers")),
            },
            Type::Ptr(pointer) if matches!(pointer.mutability, PointerMutability::Mut(_)) => {
                Ok(Self::MutPointer((*pointer.elem).clone()))
            }
            Type::Ptr(pointer) => Ok(Self::ConstPointer((*pointer.elem).clone())),
            Type::Path(path) => match path.path.segments.last() {
                Some(last) if last.ident == "DisjointMut" => match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => arguments
                        .args
                        .iter()
                        .find_map(|argument| match argument {
                            GenericArgument::Type(element) => Some(Self::DisjointMut(element.clone())),
                            _ => None,
                        })
                        .ok_or_else(|| Error::new(written.span(), "write the element's type: `DisjointMut<f32>`")),
                    _ => Err(Error::new(written.span(), "write the element's type: `DisjointMut<f32>`")),
                },
                _ => Ok(Self::Scalar),
            },
            _ => Err(Error::new(written.span(), "a kernel takes slices, pointers, `DisjointMut` and numbers")),
        }
    }
}

/// The lifetime that a parameter's type names, if it does. The body could keep what is borrowed for as long: `'static` for ever.
fn named_lifetime(written: &Type) -> Option<&Lifetime> {
    let lifetime = match written {
        Type::Reference(reference) => reference.lifetime.as_ref(),
        Type::Path(path) => match &path.path.segments.last()?.arguments {
            PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Lifetime(lifetime) => Some(lifetime),
                _ => None,
            }),
            _ => None,
        },
        _ => None,
    };
    lifetime.filter(|lifetime| lifetime.ident != "_")
}

/// The erased arguments in a launch shape, under a name that hides from parameters called `args`.
pub fn erased_arguments() -> Ident {
    Ident::new("args", Span::mixed_site())
}

/// What was read of an argument, in an entry.
fn kept(index: usize) -> Ident {
    format_ident!("kept_{index}", span = Span::mixed_site())
}

fn is_unsigned(written: &Type) -> bool {
    let Type::Path(path) = written else { return false };
    ["u8", "u16", "u32", "u64", "usize"].iter().any(|name| path.path.is_ident(name))
}
